package acl

// A Level is what a collection grants to users who are not named by the
// entity (R4). The zero Level is Shared, the level of a new collection.
type Level uint8

// The four levels, by the names that the guide gives them.
const (
	Shared   Level = iota // read all, write yours
	Private               // read yours, write yours
	ReadOnly              // read all, write none
	Full                  // read all, write all
)

// A levelRow is what one level grants to every user, and how it is called.
type levelRow struct {
	name, wire          string
	create, read, write bool
	reason              string
}

var levels = [...]levelRow{
	Shared:   {name: "Shared", wire: "append-read", create: true, read: true, reason: "level Shared"},
	Private:  {name: "Private", wire: "append-only", create: true, reason: "level Private"},
	ReadOnly: {name: "Read Only", wire: "read-only", read: true, reason: "level Read Only"},
	Full:     {name: "Full", wire: "write", create: true, read: true, write: true, reason: "level Full"},
}

// unknownLevel grants nothing, so that a Level that is none of the four denies.
var unknownLevel = levelRow{name: "unknown", reason: "level unknown"}

func (l Level) row() *levelRow {
	if int(l) < len(levels) {
		return &levels[l]
	}
	return &unknownLevel
}

// grants tells whether the level gives the right r to every user of the app.
// ChangeACL and the invalid right are never a level's to give.
func (l Level) grants(r Right) bool {
	row := l.row()
	switch r {
	case Create:
		return row.create
	case Read:
		return row.read
	case Write:
		return row.write
	}
	return false
}

// String returns the name that the guide uses, such as "Read Only".
func (l Level) String() string { return l.row().name }

// WireName returns the name that the API serves: append-read, append-only,
// read-only or write. It is empty for a Level that is none of the four.
func (l Level) WireName() string { return l.row().wire }

// ParseLevel returns the level called s: by the wire names, by the older name
// of Read Only ("read"), by the names of the command line (shared, private,
// read-only, full), or by the names of the guide. Any other text is no level.
func ParseLevel(s string) (Level, bool) {
	switch s {
	case "append-read", "shared", "Shared":
		return Shared, true
	case "append-only", "private", "Private":
		return Private, true
	case "read-only", "read", "Read Only":
		return ReadOnly, true
	case "write", "full", "Full":
		return Full, true
	}
	return Shared, false
}
