package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"postern/engine"
	"postern/engine/store"
)

func checkCommand(s streams) *cobra.Command {
	var acceptLoss bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Derive everything anew from the data and compare; exit code 10 when something is wrong",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _ := cmd.Flags().GetString("data")
			n := 0
			report := func(problem string) {
				n++
				fmt.Fprintln(s.out, problem)
			}
			if err := check(cmd, dir, acceptLoss, report); err != nil {
				return err
			}
			if n > 0 {
				return errProblems
			}
			_, err := fmt.Fprintln(s.out, "ok")
			return err
		},
	}
	c.Flags().BoolVar(&acceptLoss, "accept-loss", false, "check what is there although acknowledged writes are missing")
	return c
}

// check looks at a directory, or asks the server that runs on it.
func check(cmd *cobra.Command, dir string, acceptLoss bool, report func(string)) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	driver, err := store.OpenBadger(dir, store.Options{AcceptLoss: acceptLoss})
	if errors.Is(err, store.ErrLocked) {
		var found struct{ Problems []string }
		if err := newClient(cmd).call("POST", "/v4/check", nil, &found); err != nil {
			return err
		}
		for _, p := range found.Problems {
			report(p)
		}
		return nil
	}
	var lost *store.ErrLost
	var corrupt *store.CorruptError
	if errors.As(err, &lost) || errors.As(err, &corrupt) {
		report(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(engine.Check(context.Background(), driver, report), driver.Close())
}

func backupCommand(s streams) *cobra.Command {
	return sub("backup FILE", "Write a consistent backup of the running server; - is standard output", 1,
		func(c *client, _ *cobra.Command, a []string) error {
			body, err := c.open("GET", "/v4/backup", nil)
			if err != nil {
				return err
			}
			defer body.Close()
			if a[0] == "-" {
				_, err := io.Copy(s.out, body)
				return err
			}
			return writeWhole(a[0], body)
		})
}

// writeWhole writes a file under a temporary name and gives it its own when it
// is complete, verified and on disk: a file of that name is a whole backup.
func writeWhole(name string, r io.Reader) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".postern-backup-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := verifyBackup(f.Name()); err != nil {
		return fmt.Errorf("the backup is not whole: %w", err)
	}
	return os.Rename(f.Name(), name)
}

// verifyBackup restores a backup into a directory of its own, which is thrown
// away, and checks that.
func verifyBackup(file string) error {
	dir, err := os.MkdirTemp(filepath.Dir(file), ".postern-verify-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return restore(file, filepath.Join(dir, "data"))
}

func restoreCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Restore a backup into a new data directory, verified before it gets its name",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, a []string) error {
			dir, _ := cmd.Flags().GetString("data")
			if err := restore(a[0], dir); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.out, "restored into", dir)
			return err
		},
	}
}

// restore imports a backup and checks what came out of it.
func restore(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := store.Import(dir, bufio.NewReaderSize(f, 1<<20), store.Options{}); err != nil {
		return err
	}
	driver, err := store.OpenBadger(dir, store.Options{NoBallast: true})
	if err != nil {
		return err
	}
	var first error
	err = engine.Check(context.Background(), driver, func(p string) {
		if first == nil {
			first = errors.New(p)
		}
	})
	return errors.Join(err, first, driver.Close())
}
