package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCollectorPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 32 << 20: 400, 64 << 20: 200, 128 << 20: 100, 8 << 30: 100} {
		if got := collectorPercent(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
}

// The memory of a process is the least of what the machine has and what the
// groups that it is in may have.
func TestAvailableMemory(t *testing.T) {
	const mib = 1 << 20
	memory := "MemTotal:       4096 kB\nMemFree:  100 kB\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  uint64
	}{
		{"not Linux", nil, 0},
		{"no groups", map[string]string{"proc/meminfo": memory}, 4 * mib},
		{"its group", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2097152\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 2 * mib},
		{"a group above", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "1:cpu:/x\n0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1048576\n"}, mib},
		{"a container", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "3145728\n"}, 3 * mib},
		{"more than there is", map[string]string{"proc/meminfo": memory, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "9999999999\n"}, 4 * mib},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}
