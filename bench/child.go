package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// ChildCommand is the command of the program that calls Child.
const ChildCommand = "bench-child"

// Child is what another process of a measurement does. It is not for people.
func Child(args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "hold":
		return hold(args[1], in, out)
	case len(args) == 4 && args[0] == "call":
		length, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		c, err := call(length, args[2], args[3])
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(c)
	case len(args) == 1 && args[0] == "traffic":
		var l traffic
		if err := json.NewDecoder(in).Decode(&l); err != nil {
			return err
		}
		r, err := l.send()
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(r)
	}
	return fmt.Errorf("there is no child %q", args)
}

// held is what a server that is being measured says of itself.
type held struct {
	Address string        `json:"address"`
	Store   time.Duration `json:"store"`  // opening Badger
	Engine  time.Duration `json:"engine"` // everything else before it serves
}

// hold serves a directory until the input ends. It answers the line settle when
// it has collected its garbage and given the memory back.
func hold(dir string, in io.Reader, out io.Writer) error {
	s, err := openServer(dir)
	if err != nil {
		return err
	}
	defer s.close()
	if err := json.NewEncoder(out).Encode(held{s.address, s.openStore, s.openEngine}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "settle" {
			debug.FreeOSMemory()
			debug.FreeOSMemory() // what finalizers have let go
			fmt.Fprintln(out, "settled")
		}
	}
	return nil
}

var errNoProgram = errors.New("it is not known which program to start")

// A child is the other end of that.
type child struct {
	held
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (b *run) startChild(dir string) (*child, error) {
	if b.Program == "" {
		return nil, errNoProgram
	}
	c := &child{cmd: exec.Command(b.Program, ChildCommand, "hold", dir)}
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.held)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the child does not serve: %w", err), c.stop())
	}
	return c, nil
}

// settle waits until the child holds no more than it needs.
func (c *child) settle() error {
	if _, err := io.WriteString(c.in, "settle\n"); err != nil {
		return err
	}
	line, err := c.out.ReadString('\n')
	if err == nil && strings.TrimSpace(line) != "settled" {
		err = fmt.Errorf("the child says %q", line)
	}
	return err
}

// stop ends the child as a signal would end a server, and waits for it.
func (c *child) stop() error {
	err := c.in.Close()
	_, _ = io.Copy(io.Discard, c.out)
	return errors.Join(err, c.cmd.Wait())
}

// inChild asks a child of the name, and reads its answer.
func (b *run) inChild(name string, ask, answer any) error {
	if b.Program == "" {
		return errNoProgram
	}
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	cmd := exec.Command(b.Program, ChildCommand, name)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the child %s: %w", name, err)
	}
	return json.Unmarshal(out, answer)
}
