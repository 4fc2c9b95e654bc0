package configfile_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
)

// described is as much of a schema as the tests look at.
type described struct {
	Schema      string               `json:"$schema"`
	Description string               `json:"description"`
	Type        string               `json:"type"`
	Enum        []string             `json:"enum"`
	Default     json.RawMessage      `json:"default"`
	Pattern     string               `json:"pattern"`
	Minimum     *float64             `json:"minimum"`
	Maximum     *float64             `json:"maximum"`
	MinItems    *int                 `json:"minItems"`
	MinLength   *int                 `json:"minLength"`
	MaxProps    *int                 `json:"maxProperties"`
	Items       *described           `json:"items"`
	Properties  map[string]described `json:"properties"`
	Additional  json.RawMessage      `json:"additionalProperties"`
}

func schemaOf(t *testing.T, of any, docs configfile.Docs, parts map[string]any) (described, string) {
	t.Helper()
	out, err := configfile.SchemaWith(of, docs, parts)
	if err != nil {
		t.Fatal(err)
	}
	var d described
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return d, string(out)
}

func TestSchemaHoldsTypesRulesDefaultsAndDocumentation(t *testing.T) {
	c := defaults()
	s, _ := schemaOf(t, &c, configfile.Docs{"policy.challenge.length": "Digits.", "twoFactor.Mode": "Whether.", "channels.*.use": "Which."}, nil)
	equal(t, "dialect", s.Schema, "https://json-schema.org/draft/2020-12/schema")
	equal(t, "unknown keys", string(s.Additional), "false")
	mode := s.Properties["mode"]
	equal(t, "mode", mode.Description+strings.Join(mode.Enum, ",")+string(mode.Default), `What this is for.development,production"development"`)
	ch := s.Properties["policy"].Properties["challenge"].Properties
	equal(t, "life", ch["life"].Description+string(ch["life"].Default), `How long a code is good for. From 1m to 1h."5m"`)
	equal(t, "length", ch["length"].Type+ch["length"].Description+string(ch["length"].Default), "integerDigits.6")
	equal(t, "least length", *ch["length"].Minimum, 4)
	equal(t, "greatest length", *ch["length"].Maximum, 10)
	equal(t, "link", ch["link"].Type+string(ch["link"].Default), "booleanfalse")
	equal(t, "alphabet", *ch["alphabet"].MinLength, 2)
	equal(t, "mode's doc", s.Properties["policy"].Properties["two_factor"].Properties["mode"].Description, "Whether.")
	fields := s.Properties["policy"].Properties["fields"]
	equal(t, "fields", *fields.MinItems, 1)
	equal(t, "items", strings.Join(fields.Items.Enum, ","), "email,phone")
	var entry described
	if err := json.Unmarshal(s.Properties["channels"].Additional, &entry); err != nil {
		t.Fatal(err)
	}
	equal(t, "channel", entry.Properties["use"].Description+string(entry.Additional), "Which.true")
	equal(t, "channels", *s.Properties["channels"].MaxProps, 3)
	equal(t, "tenant's default", string(s.Properties["tenants"].Items.Properties["life"].Default), `"1h"`)
	equal(t, "unsigned", *s.Properties["workers"].Minimum, 0)
	if _, ok := s.Properties["ignored"]; ok {
		t.Error("a field that is not read is described")
	}
}

func TestSchemaAcceptsTheDurationsThatLoadAccepts(t *testing.T) {
	s, _ := schemaOf(t, defaults(), nil, nil)
	pattern := regexp.MustCompile(s.Properties["policy"].Properties["challenge"].Properties["resend_after"].Pattern)
	for _, text := range []string{"5m", "1h30m", "0.5s", ".5s", "5.s", "0s", "100ms", "1µs", "+5s", "", "5", "5d", "-5m", "5 m", "m", "1h30"} {
		c := struct {
			D time.Duration `yaml:"d"`
		}{}
		_, err := configfile.Load(&c, source("d: \""+text+"\"\n"))
		equal(t, text, pattern.MatchString(text), err == nil)
	}
}

func TestSchemaShowsNoSecretAndTakesItsFile(t *testing.T) {
	c := defaults()
	c.Keys.Plain = password
	if err := c.Database.URL.UnmarshalText([]byte(password)); err != nil {
		t.Fatal(err)
	}
	s, text := schemaOf(t, c, nil, nil)
	equal(t, "secret in schema", strings.Contains(text, password), false)
	db := s.Properties["database"].Properties
	equal(t, "default", len(db["url"].Default), 0)
	equal(t, "file", db["url_file"].Type, "string")
}

func TestSchemaDescribesPartsWhenTheyAreKnown(t *testing.T) {
	s, _ := schemaOf(t, defaults(), nil, map[string]any{"smtp": &plugin{Timeout: time.Second}})
	var entry described
	if err := json.Unmarshal(s.Properties["channels"].Additional, &entry); err != nil {
		t.Fatal(err)
	}
	equal(t, "other keys", string(entry.Additional), "false")
	equal(t, "timeout", string(entry.Properties["smtp"].Properties["timeout"].Default), `"1s"`)
	equal(t, "addr", entry.Properties["smtp"].Properties["addr"].Description, "Host and port.")
}

func TestSchemaIsTheSameEveryTime(t *testing.T) {
	_, first := schemaOf(t, defaults(), nil, nil)
	for range 5 {
		_, again := schemaOf(t, defaults(), nil, nil)
		equal(t, "schema", again, first)
	}
}

type loop struct {
	Next *loop `yaml:"next"`
}

func TestSchemaRefusesTypesThatContainThemselves(t *testing.T) {
	if _, err := configfile.Schema(loop{}, nil); err == nil || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("got %v", err)
	}
	var into loop
	if _, err := configfile.Load(&into, source("next: { next: {} }\n", "X_NEXT=1")); err != nil {
		t.Errorf("got %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, yaml := range []string{"", withPart, "policy: { challenge: { life: 5m } }", "a: &a [*a]", "<<: *x", "- - - a", "? [a]\n: b",
		"\t", "%", "a: b: c", "tenants: [{slug: a}]", "labels: {a: 1}\n---\n", "\xff\xfe", "channels: { email: [] }", "policy: !!map {}"} {
		f.Add([]byte(yaml), "CHANNELS_EMAIL_SMTP_ADDR", "x")
		f.Add([]byte(yaml), "POLICY_FIELDS", "email,phone")
		f.Add([]byte(yaml), "__", "")
	}
	f.Fuzz(func(t *testing.T, yaml []byte, name, value string) {
		c := defaults()
		src := source(string(yaml), "COUNTERSIGN_"+name+"="+value)
		src.Flags = map[string]string{"policy.challenge.length": value}
		l, err := configfile.Load(&c, src)
		if err != nil {
			ps, ok := err.(configfile.Problems)
			if !ok || len(ps) == 0 || slices.ContainsFunc(ps, func(p configfile.Problem) bool { return p.Text == "" }) {
				t.Fatalf("got %#v, want problems with texts", err)
			}
			return
		}
		for _, path := range l.Paths() {
			if _, ok := l.Explain(path); !ok {
				t.Fatalf("the path %q is listed, but not explained", path)
			}
		}
		for _, ch := range c.Channels {
			for _, raw := range ch.Parts {
				_ = raw.Keys()
				if err := raw.Decode(&plugin{}); err != nil && err.Error() == "" {
					t.Fatal("a problem without text")
				}
			}
		}
	})
}
