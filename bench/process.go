package main

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
func process(dir string) error {
	binary := filepath.Join(dir, "postern")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "postern")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
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
	err = s.fill("reads", *entities, s.users)
	s.close()
	if err != nil {
		return err
	}
	for i := range *rounds {
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
	fmt.Printf("process (medians of %d rounds)\n", *rounds)
	fmt.Printf("  %-40s %6.1f MB\n", "binary", float64(info.Size())/1e6)
	fmt.Printf("  %-40s %6.3f s\n", "ready on an empty directory after", median(empty))
	fmt.Printf("  %-40s %6.1f MiB\n", "resident when idle", median(idle))
	fmt.Printf("  %-40s %6.3f s\n", fmt.Sprintf("ready on %d entities after", *entities), median(full))
	fmt.Printf("  %-40s %6.1f MiB\n", "resident then", median(held))
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
	rss, err := resident(cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, 0, err
	}
	_, _ = io.Copy(io.Discard, log)
	return took, rss, cmd.Wait()
}

// resident reads the resident set of a process where the system shows it.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, err
}
