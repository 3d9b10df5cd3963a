package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/lockstep-sync/lockstep"
)

// Load reads and checks a file; the environment is the process's own. Its error is a *lockstep.Fault: CodeFile where
// the file cannot be read, else CodeConfig (or CodeSecret) with *Errors inside.
func Load(file string, connectors []lockstep.Connector) (*Config, error) {
	data, err := readFile(file, MaxFile)
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeFile, "the configuration %s cannot be read: %w", file, err)
	}
	return Parse(file, data, connectors, os.LookupEnv)
}

// Parse is Load of a text. name is the file that it came from: relative paths begin in its folder.
func Parse(name string, text []byte, connectors []lockstep.Connector, env func(string) (string, bool)) (*Config, error) {
	d := &decoder{
		src:   newSource(name, string(text)),
		dir:   filepath.Dir(name),
		env:   env,
		specs: connectors,
		marks: map[string]*yaml.Node{},
		plans: map[*Flow]flowPlan{},
		open:  map[*yaml.Node]bool{},
	}
	root, ok := d.parse(text)
	if !ok {
		return nil, d.finish()
	}
	d.src.index(root)
	d.src.sort()
	c, ok := fileShape.decode(d, root, "")
	if ok {
		d.settle(&c)
	}
	// What is right by itself is checked against the rest also where something else is wrong: all errors at once.
	d.cross(&c)
	if err := d.finish(); err != nil {
		return nil, err
	}
	return &c, nil
}

// parse makes the node tree. What YAML itself refuses is one problem: behind it nothing can be told.
func (d *decoder) parse(text []byte) (*yaml.Node, bool) {
	nowhere := &yaml.Node{}
	switch {
	case len(text) > MaxFile:
		d.report(nowhere, "", "", "the file is larger than %d MiB", MaxFile>>20)
		return nil, false
	case !utf8.Valid(text):
		d.report(nowhere, "", "", "the file is not UTF-8")
		return nil, false
	}
	var document yaml.Node
	if err := yaml.Load(text, &document); err != nil {
		d.syntax(err)
		return nil, false
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		d.report(nowhere, "", "", "the file holds no settings")
		return nil, false
	}
	return document.Content[0], true
}

// syntax reports an error of the YAML library.
func (d *decoder) syntax(err error) {
	d.src.hideSuspects()
	load, ok := errors.AsType[*yaml.LoadError](err)
	if !ok || load.Mark.Line == 0 {
		message := "the file is not valid YAML"
		switch text := err.Error(); {
		case strings.Contains(text, "no documents"):
			message = "the file holds no settings"
		case strings.Contains(text, "found multiple"):
			message = "the file holds more than one document (---)"
		}
		d.report(&yaml.Node{}, "", "", "%s", message)
		return
	}
	mark, context := load.Mark, ""
	if load.ContextMsg != "" && load.ContextMark.Line > 0 {
		context = fmt.Sprintf(", %s that begins in line %d", load.ContextMsg, load.ContextMark.Line)
	}
	hint := ""
	if strings.Contains(load.Message, "mapping values are not allowed") {
		hint = "a text with \": \" inside needs quotes, and what belongs together the same indentation"
	}
	if strings.Contains(load.Message, "cannot start any token") {
		hint = "indent with spaces, not tabs; a text that begins with @, ` or % needs quotes"
	}
	d.report(&yaml.Node{Line: mark.Line, Column: mark.Column}, "", hint, "not valid YAML: %s%s", load.Message, context)
}
