package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process measures the binary as it is run: its size, how soon it answers on
// an empty directory and on a filled one, and what it holds when idle.
func process(b *run, dir string) error {
	binary, n := b.Program, b.Entities[0]
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	var empty, idle, full, held []float64
	filled := filepath.Join(dir, "filled")
	s, err := startServer(filled)
	if err != nil {
		return err
	}
	err = s.fill("reads", n, s.users)
	s.close()
	if err != nil {
		return err
	}
	for i := range b.Rounds {
		took, rss, err := startAndStop(binary, filepath.Join(dir, "empty"+strconv.Itoa(i)))
		if err != nil {
			return err
		}
		empty, idle = append(empty, took.Seconds()), append(idle, rss)
		if took, rss, err = startAndStop(binary, filled); err != nil {
			return err
		}
		full, held = append(full, took.Seconds()), append(held, rss)
	}
	b.report.Process = []Figure{
		{Name: "binary", Unit: "MB", Value: float64(info.Size()) / 1e6},
		{Name: "ready on an empty directory after", Unit: "s", Value: median(empty), Rounds: empty},
		{Name: "resident when idle", Unit: "MiB", Value: median(idle), Rounds: idle},
		{Name: fmt.Sprintf("ready on %d entities after", n), Unit: "s", Value: median(full), Rounds: full},
		{Name: "resident then", Unit: "MiB", Value: median(held), Rounds: held},
	}
	b.printf("process (medians of %d rounds)\n", b.Rounds)
	for _, f := range b.report.Process {
		b.printf("  %-40s %8.3f %s\n", f.Name, f.Value, f.Unit)
	}
	return nil
}

// startAndStop runs a server until it has said that it serves and returns how
// long that took and its resident set in MiB.
func startAndStop(binary, dir string) (time.Duration, float64, error) {
	cmd := exec.Command(binary, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-format", "text")
	cmd.Stdout = io.Discard
	log, err := cmd.StderrPipe()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=serving") {
	}
	took := time.Since(began)
	m, err := resident(cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, 0, err
	}
	_, _ = io.Copy(io.Discard, log)
	return took, m.all / (1 << 20), cmd.Wait()
}

// memory is what a process holds, in bytes; zeros where the system does not
// show it.
type memory struct{ all, anonymous, file float64 }

// resident reads what is resident of a process.
func resident(pid int) (memory, error) {
	var m memory
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		return m, nil
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		to := map[string]*float64{"VmRSS": &m.all, "RssAnon": &m.anonymous, "RssFile": &m.file}[name]
		if to == nil {
			continue
		}
		kb, e := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		if *to = kb * 1024; e != nil {
			err = e
		}
	}
	return m, err
}
