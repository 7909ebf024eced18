package main

import (
	"fmt"
	"strconv"
	"strings"
)

// list is the value of a flag that can be repeated, or have several values, separated by commas.
type list []string

// UnmarshalFlag adds the values of one flag.
func (l *list) UnmarshalFlag(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// numbers is a list of whole numbers.
type numbers []int

// UnmarshalFlag adds the values of one flag.
func (n *numbers) UnmarshalFlag(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("%q is no number", word)
		}
		*n = append(*n, number)
	}
	return nil
}

// oneOf returns an error if more than one of the flags is set.
func oneOf(names string, flags ...bool) error {
	set := 0
	for _, isSet := range flags {
		if isSet {
			set++
		}
	}
	if set > 1 {
		return usageError{fmt.Errorf("tailwater: %s: give one of them", names)}
	}
	return nil
}
