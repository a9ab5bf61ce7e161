package script

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"runtime/debug"
	"time"

	"github.com/dop251/goja"
)

const (
	memoryLimit = 256 << 20 // bytes, beyond what the process has at its start
	stackLimit  = 64 << 20  // bytes of the interpreter's own stack
	callLimit   = 512       // calls of JavaScript inside each other
)

// Main is the process that runs one script. It returns its exit code.
func Main(in io.Reader, out io.Writer) int {
	if err := confine(); err != nil {
		return 1 // no limits, no script
	}
	debug.SetMaxStack(stackLimit)
	debug.SetMemoryLimit(memoryLimit * 3 / 4)
	answer, failure := run(bufio.NewReaderSize(in, 64<<10))
	w := bufio.NewWriter(out)
	if failure != "" {
		_ = w.WriteByte(1)
		_, _ = w.WriteString(failure[:min(len(failure), maxMessage)])
	} else {
		_ = w.WriteByte(0)
		_, _ = w.Write(answer)
	}
	if w.Flush() != nil {
		return 1
	}
	return 0
}

// run returns what reduce returns, its error as text. To put an exception into
// words can throw another one.
func run(in *bufio.Reader) (answer []byte, failure string) {
	defer func() {
		if recover() != nil {
			failure = "the script failed"
		}
	}()
	answer, err := reduce(in)
	if err != nil {
		return nil, "reduce: " + err.Error()
	}
	return answer, ""
}

// reduce runs the script that comes in and returns the accumulators.
func reduce(in *bufio.Reader) (answer []byte, err error) {
	vm := goja.New()
	vm.SetMaxCallStackSize(callLimit)
	vm.SetTimeSource(func() time.Time { return time.Unix(0, 0).UTC() })
	vm.SetRandSource(func() float64 { return 0.5 })
	// Taken before the script can replace them.
	json := vm.Get("JSON").ToObject(vm)
	parse, _ := goja.AssertFunction(json.Get("parse"))
	stringify, _ := goja.AssertFunction(json.Get("stringify"))
	text, err := readText(in)
	if err != nil {
		return nil, err
	}
	v, err := vm.RunString("(" + text + "\n)")
	if err != nil {
		return nil, err
	}
	call, ok := goja.AssertFunction(v)
	if !ok {
		return nil, errors.New("reduce is not a function")
	}
	var accumulators []goja.Value
	for {
		bucket, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		start, err := readText(in)
		if err != nil {
			return nil, err
		}
		if start != "" { // a new bucket
			a, err := parse(goja.Undefined(), vm.ToValue(start))
			if err != nil {
				return nil, err
			}
			accumulators = append(accumulators, a)
		}
		if text, err = readText(in); err != nil {
			return nil, err
		}
		doc, err := parse(goja.Undefined(), vm.ToValue(text))
		if err != nil {
			return nil, err
		}
		if bucket >= uint64(len(accumulators)) {
			return nil, errors.New("a bucket without an accumulator")
		}
		if _, err := call(goja.Undefined(), doc, accumulators[bucket]); err != nil {
			return nil, err
		}
	}
	answer = binary.AppendUvarint(nil, uint64(len(accumulators)))
	for _, a := range accumulators {
		v, err := stringify(goja.Undefined(), a)
		if err != nil {
			return nil, err
		}
		s := v.String()
		if answer = append(binary.AppendUvarint(answer, uint64(len(s))), s...); len(answer) > maxOutput {
			return nil, errors.New("the script gives back too much")
		}
	}
	return answer, nil
}

// readText reads a length and a text.
func readText(in *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return "", err
	}
	return string(b), nil
}
