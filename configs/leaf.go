package configs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"text/template"
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

// leaves lists the settings in the order of the struct, with the names that envconfig gives them.
func leaves(s *Settings) []leaf {
	var all []leaf
	collect := func(key string, field reflect.Value, tags reflect.StructTag) string {
		all = append(all, leaf{strings.TrimPrefix(key, Prefix+"_"), field, tags})
		return ""
	}
	each := template.Must(template.New("").Funcs(template.FuncMap{"collect": collect}).
		Parse(`{{range .}}{{collect .Key .Field .Tags}}{{end}}`))
	if err := envconfig.Usaget(Prefix, s, io.Discard, each); err != nil {
		panic(err) // the struct is constant: no setting can cause this
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
