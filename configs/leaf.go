package configs

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// leaf is one setting: a field of Settings that is not itself a struct of settings.
type leaf struct {
	name  string // without the prefix: HTTP_LISTEN
	field reflect.Value
	tags  reflect.StructTag
}

func (l leaf) key() string { return Prefix + "_" + l.name }

// IsSet reports whether a setting was given in the environment or the file, instead of left to its default. The name is written
// without the prefix, as in EMBED_LISTEN.
func (s *Settings) IsSet(name string) bool {
	return s.set[name]
}

// external reports whether an external NATS server is configured, even wrongly: then no server is embedded.
func (s *Settings) external() bool { return s.IsSet("NATS_URL") || s.IsSet("NATS_CONTEXT") }

// leaves lists the settings in the order of the struct, with the names that envconfig gives them. Its own list is for templates only, and
// a command with text/template has every exported method of every package: 3 MB of them are in memory.
func leaves(s *Settings) []leaf { return leavesOf(reflect.ValueOf(s).Elem(), "") }

var betweenWords = regexp.MustCompile("([a-z])([A-Z])|([A-Z])([A-Z][a-z])")

func leavesOf(of reflect.Value, prefix string) (all []leaf) {
	for i := range of.NumField() {
		f := of.Type().Field(i)
		if !f.IsExported() || f.Tag.Get("ignored") == "true" {
			continue
		}
		name := f.Name
		if f.Tag.Get("split_words") == "true" {
			name = betweenWords.ReplaceAllString(name, "${1}${3}_${2}${4}")
		}
		name = prefix + strings.ToUpper(name)
		_, decodes := of.Field(i).Addr().Interface().(envconfig.Decoder)
		switch {
		case f.Type.Kind() != reflect.Struct || decodes:
			all = append(all, leaf{name, of.Field(i), f.Tag})
		case f.Anonymous:
			all = append(all, leavesOf(of.Field(i), prefix)...)
		default:
			all = append(all, leavesOf(of.Field(i), name+"_")...)
		}
	}
	return all
}

// fallback returns the default of a setting, or "" for the zero value.
func (l leaf) fallback(s *Settings) string {
	switch embedded, unexposed := l.tags.Get("embedded"), l.tags.Get("unexposed"); {
	case embedded != "" && !s.external():
		return embedded
	case unexposed != "" && len(s.exposed) == 0:
		return unexposed
	}
	return l.tags.Get("default")
}

// dependsOnExposure reports whether fallback depends on whether the bridge is exposed.
func (l leaf) dependsOnExposure() bool { return l.tags.Get("unexposed") != "" }

// read sets the field from value with envconfig. Because envconfig stops at its first error, each setting gets a struct of its
// own with one field of the same name. The value of the file or the default becomes that field's default tag, and the environment
// wins over the tag.
func (l leaf) read(value string) error {
	if value == "" {
		if l.tags.Get("empty") != "" {
			return nil
		}
		return errors.New("it is set but empty; give it a value or remove it")
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: l.name,
		Type: l.field.Type(),
		Tag:  reflect.StructTag("default:" + strconv.Quote(value)),
	}}))
	if err := envconfig.Process(Prefix, one.Interface()); err != nil {
		return l.explain(err)
	}
	l.field.Set(one.Elem().Field(0))
	return nil
}

// explain turns envconfig's error into our words. Our own types' errors stay; the text of a ParseError would show the value, which
// may be a secret.
func (l leaf) explain(err error) error {
	var parse *envconfig.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	switch l.field.Interface().(type) {
	case bool:
		return fmt.Errorf("%q is neither true nor false", parse.Value)
	case int:
		return fmt.Errorf("%q is not a whole number", parse.Value)
	case time.Duration:
		return fmt.Errorf("%q is not a duration; write a number with a unit, such as 20s or 1h30m", parse.Value)
	case slog.Level:
		return fmt.Errorf("%q is not a level; write debug, info, warn or error", parse.Value)
	}
	return parse.Err
}
