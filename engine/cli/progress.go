package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// How often progress is shown: a bar that stands still looks broken, a log of
// many lines hides what matters.
const (
	barPause  = 100 * time.Millisecond
	linePause = 5 * time.Second
	barWidth  = 24
)

// progress shows on a terminal how far an import is, in one line that is
// written over, and elsewhere in a line every few seconds.
type progress struct {
	w        io.Writer
	terminal bool
	quiet    bool

	verb  string
	size  int64 // bytes, 0: not known
	began time.Time
	shown time.Time
	drawn bool // the cursor is behind a bar
}

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{w: w, quiet: quiet}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) start(verb string, size int64) {
	p.verb, p.size, p.began = verb, size, time.Now()
	p.shown = p.began
}

// show tells that the file was worked on up to a byte.
func (p *progress) show(at int64, t *tally) {
	pause := linePause
	if p.terminal {
		pause = barPause
	}
	if p.quiet || time.Since(p.shown) < pause {
		return
	}
	p.shown = time.Now()
	text := p.text(at, t, p.shown.Sub(p.began))
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K", text)
		p.drawn = true
	} else {
		fmt.Fprintln(p.w, text)
	}
}

// text is what there is to say after a time of work.
func (p *progress) text(at int64, t *tally, took time.Duration) string {
	var b strings.Builder
	b.WriteString(p.verb)
	const mega = 1 << 20
	if p.size > 0 {
		at = min(at, p.size)
		if p.terminal {
			full := int(at * barWidth / p.size)
			fmt.Fprintf(&b, " [%s%s]", strings.Repeat("#", full), strings.Repeat("-", barWidth-full))
		}
		fmt.Fprintf(&b, " %d %% of %.1f MiB", at*100/p.size, float64(p.size)/mega)
	} else {
		fmt.Fprintf(&b, " %.1f MiB", float64(at)/mega)
	}
	n := t.Imported + t.Replaced + t.Skipped
	fmt.Fprintf(&b, ", %d entities, %.0f/s", n, float64(n)/max(took.Seconds(), 0.001))
	if t.Bad > 0 {
		fmt.Fprintf(&b, ", %d bad lines", t.Bad)
	}
	return b.String()
}

// line prints a line of its own, where the bar was.
func (p *progress) line(text string) {
	p.end()
	fmt.Fprintln(p.w, text)
}

// end takes the bar away.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
