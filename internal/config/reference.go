package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lockstep-sync/lockstep"
)

// Reference is docs/configuration.md: every setting, from the shapes that the decoder goes by.
func Reference(connectors []lockstep.Connector) string {
	var b strings.Builder
	b.WriteString(referenceHead)
	b.WriteString("```yaml\n" + Example + "```\n\n" + referenceRules)
	section(&b, "", fileShape.describe())
	b.WriteString("\n## Systems\n\nA system has the settings that all have, and those of its `type`:\n\n")
	fields(&b, commonShape.describe().fields)
	section(&b, "systems.NAME", commonShape.describe())
	for _, c := range connectors {
		connector(&b, c.Spec())
	}
	b.WriteString("\n## Flows\n\nA flow carries one stream of one system to one stream of another.\n\n")
	fields(&b, flowShape.describe().fields)
	section(&b, "flows.NAME", flowShape.describe())
	b.WriteString(referenceTail)
	return b.String()
}

const referenceHead = `<!-- Generated from the code by "make gen". Do not edit. -->

# Configuration

One YAML file says everything. ` + "`lockstep check`" + ` reads it and reports every mistake at once, with file, line and column;
` + "`lockstep schema`" + ` prints a JSON schema, with which an editor completes and checks while you type. Put this on the first line:

` + "```yaml" + `
# yaml-language-server: $schema=lockstep.schema.json
` + "```" + `

A whole one:

`

// Example is a whole configuration, as the reference shows it.
const Example = `systems:
  pim:
    type: sqlite
    path: pim.db
  shop:
    type: postgres
    dsn: ${SHOP_DSN}

flows:
  products:
    from: {system: pim, stream: product, track: {by: timestamp, field: updated_at}}
    to: {system: shop, stream: products, create: true}
    match: sku
    full: {cron: "0 3 * * *", zone: Europe/Ljubljana}
    map:
      sku: sku
      name: trim(name)
      price: round(price * 1.22, 2)
      active: published == 1
`

const referenceRules = `## Rules of the file

- Unknown names are errors. Names of systems and flows begin with a letter and have letters, digits, ` + "`_`" + ` and ` + "`-`" + ` only.
- ` + "`${NAME}`" + ` in a value is replaced by an environment variable, which must be set; ` + "`${NAME:-default}`" + ` has a default for one that is
  not set or empty. ` + "`$${`" + ` is a plain ` + "`${`" + `. Names (keys) are not replaced.
- A secret may also be read from a file: ` + "`file:/run/secrets/shop`" + `; one line end at its end is dropped. Secrets are never printed.
- Relative paths begin in the configuration's folder: the store's, the socket's, those of CSV files and secrets, and a system's ` + "`path`" + `.
- A value is read by what its setting takes, not by what YAML guesses: ` + "`0777`" + ` is a text where a text is wanted, and an error where a
  number is. Whole numbers are plain digits.
- Durations: ` + "`500ms`, `10s`, `5m`, `2h`, `1h30m`, `30d`" + `. Sizes: ` + "`500B`, `64KiB`, `4MiB`, `1GiB`" + ` (powers of 1024), ` + "`500kB`, `4MB`" + ` (of 1000).
  Rates: ` + "`50/s`, `600/min`, `10000/h`" + `. Shares: ` + "`10%`" + `.
- Anchors, aliases and ` + "`<<`" + ` work. Names at the top that begin with ` + "`x-`" + ` are ignored: a place for anchors.
- The file has at most 4 MiB.

## The file

`

const referenceTail = `
### Rules of a map

` + "```yaml" + `
map:
  sku: sku                                   # a text is an expression: here, the source's field sku
  price: round(price * 1.22, 2)
  label: {const: new}                        # a constant text
  stock: 0                                   # a number, true, false or null is a constant
  note: {expr: trim(note), null: skip}       # with its own null policy
` + "```" + `

Constant numbers are exact: ` + "`1.50`" + ` is a decimal with its scale. [mapping.md](mapping.md) has the expressions.

### When runs start

- A cron expression has five fields: minute, hour, day of month, month, day of week. It is seen in the zone. On the days when the clocks
  change, a job with hours named (` + "`30 2 * * *`" + `) runs exactly once: at the first of two such times, or at the moment of the change where the
  time is skipped. A job with every hour (` + "`*/20 * * * *`" + `) runs by elapsed time.
- A run that was due while lockstep was down starts once when it is up again, however many were missed.
- Outside its window a flow still captures; it delivers when the window opens. A span over midnight belongs to the day on which it begins.
`

// section writes a table for each group of settings below at.
func section(b *strings.Builder, at string, d *doc) {
	if at == "" {
		fields(b, d.fields)
	}
	for _, f := range d.fields {
		if at == "" && (f.name == "systems" || f.name == "flows") {
			continue // chapters of their own
		}
		group(b, strings.TrimPrefix(at+"."+f.name, "."), f.doc)
	}
}

// group writes the settings that stand under a name, if there are any.
func group(b *strings.Builder, at string, d *doc) {
	switch {
	case d.fields != nil:
		fmt.Fprintf(b, "\n### `%s`\n\n", at)
		fields(b, d.fields)
		section(b, at, d)
	case d.table:
		group(b, at+".NAME", d.item)
	}
	for _, v := range d.variants {
		group(b, at, v)
	}
}

func fields(b *strings.Builder, fields []fieldDoc) {
	b.WriteString("| setting | takes | default | |\n|---|---|---|---|\n")
	for _, f := range fields {
		standard := ""
		switch {
		case f.required:
			standard = "*required*"
		case f.standard != "":
			standard = "`" + f.standard + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.name, cell(f.doc.word), standard, cell(sentence(f.help)))
	}
}

func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}

func connector(b *strings.Builder, spec lockstep.Spec) {
	fmt.Fprintf(b, "\n### Type `%s`\n\n%s %s", spec.Kind, sentence(spec.Summary), roles(spec))
	if len(spec.Trackers) > 0 {
		names := make([]string, len(spec.Trackers))
		for i, t := range spec.Trackers {
			names[i] = "`" + string(t) + "`"
		}
		fmt.Fprintf(b, " Trackers: %s.", join(names))
	}
	b.WriteString("\n\n")
	var own []fieldDoc
	for _, s := range spec.Settings {
		own = append(own, settingField(s))
	}
	if own != nil {
		fields(b, own)
		for _, f := range own {
			if f.doc.table && len(f.doc.item.fields) > 0 {
				fmt.Fprintf(b, "\nUnder each name in `%s`:\n\n", f.name)
				fields(b, f.doc.item.fields)
			}
		}
	}
	if spec.Example != "" {
		fmt.Fprintf(b, "\n```yaml\n%s\n```\n", strings.TrimSpace(spec.Example))
	}
}

func roles(spec lockstep.Spec) string {
	switch {
	case spec.Source && spec.Target:
		return "It can be read and written."
	case spec.Source:
		return "It can be read."
	}
	return "It can be written."
}

// sentence is a help text as a sentence; clause is one to go on with. Connectors write either.
func sentence(help string) string {
	help = strings.TrimSpace(help)
	if help == "" {
		return ""
	}
	first, n := utf8.DecodeRuneInString(help)
	help = string(unicode.ToUpper(first)) + help[n:]
	if strings.ContainsRune(".?!", rune(help[len(help)-1])) {
		return help
	}
	return help + "."
}

func clause(help string) string {
	help = strings.TrimSuffix(strings.TrimSpace(help), ".")
	first, n := utf8.DecodeRuneInString(help)
	if second, _ := utf8.DecodeRuneInString(help[n:]); n == 0 || unicode.IsUpper(second) {
		return help // an abbreviation
	}
	return string(unicode.ToLower(first)) + help[n:]
}
