package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/all"
	"github.com/lockstep-sync/lockstep/internal/config"
)

// asker asks on the terminal.
type asker struct {
	*tool
	lines *bufio.Reader
}

// ask prints a question and reads one line; an empty answer is the standard.
func (a *asker) ask(question, standard string) (string, error) {
	p := a.errPaint()
	hint := ""
	if standard != "" {
		hint = p.dim(" [" + standard + "]")
	}
	fmt.Fprintf(a.err, "%s%s: ", p.bold(question), hint)
	line, err := a.lines.ReadString('\n')
	if line = strings.TrimSpace(line); line == "" {
		line = standard
	}
	if err != nil && (err != io.EOF || line == "") {
		return "", usagef("no answer: nothing is written")
	}
	return line, nil
}

// secret reads a line without showing it.
func (a *asker) secret(question string) (string, error) {
	f, ok := a.in.(*os.File)
	if !ok {
		return a.ask(question, "")
	}
	fmt.Fprintf(a.err, "%s: ", a.errPaint().bold(question+" (not shown)"))
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return "", usagef("no answer: nothing is written")
	}
	return strings.TrimSpace(string(b)), nil
}

// choose asks for one of several words until it gets one.
func (a *asker) choose(question string, words []string, standard string) (string, error) {
	for {
		answer, err := a.ask(question+" ("+strings.Join(words, ", ")+")", standard)
		if err != nil || contains(words, answer) {
			return answer, err
		}
		a.note("  please one of %s", strings.Join(words, ", "))
	}
}

// leaves ends the process as soon as ctx ends: a question cannot be called back. The terminal shows again what is typed.
func (t *tool) leaves(ctx context.Context) (stop func() bool) {
	t.hushed.Store(true)
	restore := func() {}
	if f, ok := t.in.(*os.File); ok {
		if state, err := term.GetState(int(f.Fd())); err == nil {
			restore = func() { _ = term.Restore(int(f.Fd()), state) }
		}
	}
	return context.AfterFunc(ctx, func() {
		restore()
		fmt.Fprintln(t.err, "\nnothing is written")
		os.Exit(int(ExitInterrupted))
	})
}

// askSystems asks for both systems.
func (t *tool) askSystems() (from, to *initSystem, err error) {
	a := &asker{tool: t, lines: bufio.NewReader(t.in)}
	t.asker = a
	t.note("This writes %s. Two systems first; Ctrl-C leaves everything as it is.\n", t.config)
	var kinds [2][]string
	for _, c := range all.All() {
		spec := c.Spec()
		if spec.Kind == "memory" {
			continue // for tests
		}
		if spec.Source {
			kinds[0] = append(kinds[0], spec.Kind)
		}
		if spec.Target {
			kinds[1] = append(kinds[1], spec.Kind)
		}
	}
	if from, err = a.system("The system that is read", "source", kinds[0]); err != nil {
		return nil, nil, err
	}
	to, err = a.system("The system that is written", "target", kinds[1])
	return from, to, err
}

// system asks for one system: name, type, and the settings that the type requires.
func (a *asker) system(title, name string, kinds []string) (*initSystem, error) {
	a.note("%s", a.errPaint().info(title))
	name, err := a.ask("  its name", name)
	if err != nil {
		return nil, err
	}
	kind, err := a.choose("  its type", kinds, kinds[len(kinds)-1])
	if err != nil {
		return nil, err
	}
	c, err := connectorOf(kind)
	if err != nil {
		return nil, err
	}
	s := &initSystem{StarterSystem: config.StarterSystem{Name: name, Type: kind, Settings: lockstep.Settings{}}, spec: c.Spec(), connector: c, real: lockstep.Settings{}}
	s.defaults()
	for _, setting := range s.spec.Settings {
		if !setting.Required {
			continue
		}
		a.note("  %s", a.errPaint().dim(setting.Help))
		var v string
		for v == "" {
			if setting.Secret {
				v, err = a.secret("  " + setting.Name + ", or ${VARIABLE}")
			} else {
				v, err = a.ask("  "+setting.Name, "")
			}
			if err != nil {
				return nil, err
			}
		}
		s.set(setting, v)
	}
	a.note("")
	return s, nil
}

// askStreams asks which streams to carry.
func (t *tool) askStreams(there []lockstep.Stream) ([]string, error) {
	t.note("%s", t.errPaint().info("The source has these streams"))
	for _, s := range there {
		about := ""
		if s.About >= 0 {
			about = ", about " + count(s.About, "record")
		}
		track := "no \"last modified\" field was found"
		if len(s.TrackFields) > 0 {
			track = "changes by " + s.TrackFields[0]
		}
		t.note("  %s%s, %s", t.errPaint().bold(s.Name), about, track)
	}
	answer, err := t.asker.ask("Which of them, separated by commas", "all")
	if err != nil || answer == "all" {
		return nil, err
	}
	return strings.Split(answer, ","), nil
}
