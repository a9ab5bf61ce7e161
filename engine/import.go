package engine

import (
	"bytes"
	"errors"
	"io"

	"github.com/valyala/fasthttp"

	"postern/acl"
	"postern/engine/document"
)

// The import of many entities, one JSON object a line. Each line becomes the
// intent that a POST or PUT of the master would be and is decided by itself, so
// there is no second way to write. What makes it fast is that lines come to the
// committer in groups as large as it takes, the next one being read while
// earlier ones are committed.

const (
	importPath   = "/v4/environments/{kid}/collections/{name}/import"
	importLines  = groupOps // of one chunk, so that it fills a group
	importBytes  = 1 << 20  // of the lines of one chunk, but for its last one
	importChunks = 3        // on their way through the committer at once
	importSlots  = 2        // requests that import at once; others wait with what they sent
	maxProblems  = 100      // bad lines that are told with their reason
)

// duplicates is what happens to a line whose _id is taken.
type duplicates uint8

const (
	failDuplicates    duplicates = iota // a bad line
	skipDuplicates                      // passed over
	replaceDuplicates                   // replaces what is there, with its _kmd
)

var duplicatesNamed = map[string]duplicates{
	"": failDuplicates, "fail": failDuplicates, "skip": skipDuplicates, "replace": replaceDuplicates,
}

// An ImportResult is what became of the lines of an import. Lines that are
// empty count as lines and as nothing else.
type ImportResult struct {
	Lines    int
	Imported int
	Replaced int
	Skipped  int
	Bad      int
	Problems []ImportProblem // the first of the bad lines, in their order
}

// An ImportProblem is why a line was not imported.
type ImportProblem struct {
	Line   int // from 1
	Reason string
}

// Import stores entities as the master, with their _id, _acl and the times in
// their _kmd as far as they have them; an _id that is taken makes a bad line.
// next returns the lines, each a JSON object that is valid until the next call,
// and ends them with io.EOF. What the result counts is durable and stays when
// an error ends the import early; bad lines are no error.
func (e *Engine) Import(appKey, collection string, next func() (line []byte, err error)) (ImportResult, error) {
	a, ok := e.appByKey(appKey)
	if !ok {
		return ImportResult{}, errAppNotFound
	}
	if err := validCollection(collection); err != nil {
		return ImportResult{}, err
	}
	m := &importer{e: e, app: a, collection: collection}
	return m.run(next)
}

// importer is one import under way.
type importer struct {
	e          *Engine
	app        *app
	asked      *Request // nil: the server
	collection string
	duplicates duplicates
	check      bool // decide and write nothing

	filling []importLine
	bytes   int            // of the lines in filling
	flight  [][]importLine // handed to the committer, the oldest first
	failed  error          // why the import ends early
	result  ImportResult
}

type importLine struct {
	number  int
	put     *putEntity
	waiting *submission // nil: err is the outcome
	err     error
}

func (m *importer) run(next func() ([]byte, error)) (ImportResult, error) {
	for m.failed == nil {
		line, err := next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				m.failed = err
			}
			break
		}
		m.result.Lines++
		if len(bytes.TrimSpace(line)) > 0 {
			m.take(line)
		}
	}
	m.submit()
	for len(m.flight) > 0 {
		m.settle()
	}
	return m.result, m.failed
}

// take brings a line into the chunk that is being filled, and that on its way
// when it is full.
func (m *importer) take(line []byte) {
	put, err := m.intentOf(line)
	if m.filling == nil {
		m.filling = make([]importLine, 0, importLines)
	}
	m.filling = append(m.filling, importLine{number: m.result.Lines, put: put, err: err})
	if m.bytes += len(line); len(m.filling) == importLines || m.bytes >= importBytes {
		m.submit()
	}
}

// intentOf makes the intent of a line, which is not kept.
func (m *importer) intentOf(line []byte) (*putEntity, error) {
	if len(line) > m.e.config.MaxBody {
		return nil, fault(errTooLarge, "an entity has at most %d bytes", m.e.config.MaxBody)
	}
	doc, err := document.Parse(line, document.Body)
	if err != nil {
		return nil, err
	}
	if doc.Kind() != document.Object {
		return nil, fault(errJSON, "every line must be a JSON object")
	}
	b, err := readEntity(doc)
	if err != nil {
		return nil, err
	}
	if b.ect == 0 || b.lmt == 0 {
		if err := timesRead(doc.Get("_kmd")); err != nil {
			return nil, err
		}
	}
	id := b.id
	if id == "" {
		id = m.e.newID()
	}
	return &putEntity{
		app: m.app, asked: m.asked, subject: acl.Subject{Role: acl.RoleMaster}, collection: m.collection, id: id,
		members: b.withID(id), sent: b.acl, sentText: b.aclText, ect: b.ect, lmt: b.lmt,
		insert: m.duplicates != replaceDuplicates, exact: true,
	}, nil
}

// timesRead refuses a _kmd with a time that would be lost because it is none.
func timesRead(kmd document.Value) error {
	if k := kmd.Kind(); k != document.Object && k != document.Null && k != document.Missing {
		return fault(errOutOfRange, "_kmd must be an object")
	}
	for _, name := range [2]string{"ect", "lmt"} {
		v := kmd.Get(name)
		if v.Kind() != document.Missing && v.Kind() != document.Null && timeOf(v) == 0 {
			return fault(errOutOfRange, "_kmd.%s must be a time like 2026-01-02T03:04:05.678Z", name)
		}
	}
	return nil
}

// submit hands the chunk that was filled to the committer. Lines are submitted
// in their order and by one goroutine, so of two with one _id the second is
// decided after the first.
func (m *importer) submit() {
	if len(m.flight) == importChunks {
		m.settle()
	}
	for i := range m.filling {
		l := &m.filling[i]
		switch {
		case l.err != nil:
		case m.check:
			_, l.err = (&draft{e: m.e, now: m.e.now()}).plan(m.app, l.put)
		default:
			l.waiting, l.err = m.e.committer.enqueue(m.app, l.put)
		}
	}
	m.flight = append(m.flight, m.filling)
	m.filling, m.bytes = nil, 0
}

// settle waits for the oldest chunk and counts what became of it.
func (m *importer) settle() {
	c := m.flight[0]
	m.flight = append(m.flight[:0], m.flight[1:]...)
	for i := range c {
		l := &c[i]
		if l.waiting != nil {
			l.err = l.waiting.wait()
		}
		m.count(l)
	}
}

func (m *importer) count(l *importLine) {
	switch {
	case l.err == nil && l.put.created:
		m.result.Imported++
		return
	case l.err == nil:
		m.result.Replaced++
		return
	case m.duplicates == skipDuplicates && errors.Is(l.err, errDuplicate):
		m.result.Skipped++
		return
	}
	f := faultOf(l.err)
	switch f.kind {
	case errUnavailable, errNoSpace, errAppNotFound: // not for what the line says
		if m.failed == nil {
			m.failed = l.err
		}
		return
	case errInternal:
		m.e.config.Logger.Error("a line of an import failed", "line", l.number, "error", l.err)
	}
	if m.result.Bad++; len(m.result.Problems) < maxProblems {
		m.result.Problems = append(m.result.Problems, ImportProblem{Line: l.number, Reason: reasonOf(l.err)})
	}
}

// importEntities imports the lines of a request's body. With check they are
// decided and nothing is written. Its lines are numbered from 1.
func (e *Engine) importEntities(r *Request) error {
	name := r.param(0)
	if err := validCollection(name); err != nil {
		return err
	}
	args := r.ctx.QueryArgs()
	mode, ok := duplicatesNamed[string(args.Peek("onDuplicate"))]
	if !ok {
		return fault(errOutOfRange, "onDuplicate is one of fail, skip and replace")
	}
	text, err := r.bytes()
	if err != nil {
		return err
	}
	// Only what has arrived takes a slot: nobody waits for a slow sender.
	e.imports <- struct{}{}
	defer func() { <-e.imports }()
	m := &importer{e: e, app: r.app, asked: r, collection: name, duplicates: mode, check: string(args.Peek("check")) == "true"}
	result, err := m.run(linesOf(text))
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, result.appendJSON(nil))
}

// linesOf returns the lines of a text one after the other.
func linesOf(text []byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(text) == 0 {
			return nil, io.EOF
		}
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		return line, nil
	}
}

func (m *ImportResult) appendJSON(dst []byte) []byte {
	var problems [][]byte
	for _, p := range m.Problems {
		problems = append(problems, new(jsonObject).number("line", int64(p.Line)).text("reason", p.Reason).close())
	}
	return append(dst, new(jsonObject).
		number("lines", int64(m.Lines)).
		number("imported", int64(m.Imported)).
		number("replaced", int64(m.Replaced)).
		number("skipped", int64(m.Skipped)).
		number("bad", int64(m.Bad)).
		raw("problems", string(jsonList(problems))).close()...)
}
