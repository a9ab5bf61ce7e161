package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// asideDir holds what Badger would destroy when it opens a damaged directory:
// the last MANIFESTs, logs with something after their last whole transaction,
// tables that the MANIFEST does not name.
const (
	asideDir  = "aside"
	asideKept = 3 // of each kind
)

// secure refuses a directory whose logs or tables are damaged and puts aside
// what Badger's repair would delete.
func secure(dir string, o Options, journal *journalState) error {
	torn, lost, err := checkLogs(dir, journal)
	if err != nil {
		return err
	}
	if lost != nil {
		if !o.AcceptLoss {
			return lost
		}
		o.Logger.Warn("loss of acknowledged records accepted", "missing", lost.Missing, "why", lost.Why)
	}
	aside := filepath.Join(dir, asideDir)
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	stamp := strconv.FormatInt(time.Now().UnixMilli(), 10)
	for _, name := range torn {
		o.Logger.Warn("log ends within a transaction", "file", name)
		if err := copyFile(filepath.Join(aside, "log-"+stamp+"-"+filepath.Base(name)), name); err != nil {
			return err
		}
	}
	if err := moveEmpty(dir, filepath.Join(aside, "log-"+stamp+"-")); err != nil {
		return err
	}
	manifest := filepath.Join(dir, manifestFile)
	if _, err := os.Stat(manifest); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := copyFile(filepath.Join(aside, "manifest-"+stamp), manifest); err != nil {
		return err
	}
	unnamed, err := checkTables(dir)
	if err != nil {
		return err
	}
	for _, name := range unnamed {
		o.Logger.Warn("table is not in the MANIFEST", "file", name)
		to := filepath.Join(aside, "table-"+stamp+"-"+filepath.Base(name))
		if os.Link(name, to) != nil {
			if err := copyFile(to, name); err != nil {
				return err
			}
		}
	}
	return prune(aside)
}

// moveEmpty moves away the logs that have not even a header, which Badger
// cannot open and in which nothing is.
func moveEmpty(dir, to string) error {
	for _, kind := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(dir, kind))
		if err != nil {
			return err
		}
		for _, name := range names {
			st, err := os.Stat(name)
			if err != nil {
				return err
			}
			if st.Size() >= logStart {
				continue
			}
			if err := os.Rename(name, to+filepath.Base(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// prune keeps the youngest few of each kind. Names sort by age.
func prune(aside string) error {
	for _, kind := range []string{"log-", "manifest-", "table-"} {
		names, err := filepath.Glob(filepath.Join(aside, kind+"*"))
		if err != nil {
			return err
		}
		var stamps []string
		for _, name := range names {
			stamps = append(stamps, stampOf(name))
		}
		stamps = slices.Compact(stamps)
		if len(stamps) <= asideKept {
			continue
		}
		oldest := stamps[len(stamps)-asideKept]
		for _, name := range names {
			if stampOf(name) < oldest {
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// stampOf returns the second part of kind-stamp-name.
func stampOf(name string) string {
	parts := strings.Split(filepath.Base(name), "-")
	return parts[min(1, len(parts)-1)]
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("putting %s aside: %w", from, err)
	}
	return nil
}
