package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidwall/btree"

	"postern/acl"
	"postern/auth"
	"postern/engine/store"
)

// The tables of the store. A table's number is part of every key, so numbers
// are never reused. Rows of one app are loaded in this order, which is why the
// private row of a user comes before his entity and a collection before both.
const (
	tableSystem     store.Table = 1  // app 0: "next" -> the next app number
	tableApp        store.Table = 2  // app 0: app key -> appConfig
	tableOperator   store.Table = 3  // app 0: e-mail -> operator
	tableOpSession  store.Table = 4  // app 0: token digest -> sessionRow of an operator
	tableCollection store.Table = 5  // app n: collection name -> collectionRow
	tableCount      store.Table = 6  // app n, collection c: "" -> countRow
	tablePrivate    store.Table = 7  // app n, collection user: user id -> privateRow
	tableEntity     store.Table = 8  // app n, collection c: entity id -> entity
	tableSession    store.Table = 9  // app n: token digest -> sessionRow
	tableGroupPast  store.Table = 10 // app n: group id that existed once -> ""
	tableDropped    store.Table = 11 // app n, collection c: "" -> rows still to be cleaned away
	tableRegrouped  store.Table = 20 // app n: Seq and index -> regroupRow
	tableOutbox     store.Table = 21 // app n: mail id -> outboxRow of a mail that is to be sent
	tableNote       store.Table = 24 // app n: what is stored and echoed and decides nothing, see manage_notes.go

	tableAuthService   store.Table = 25 // app 0: id -> authService
	tableIdentityStore store.Table = 26 // app 0: id -> identityStore
	tableGrant         store.Table = 27 // app n: handle -> micGrant
	tableConsole       store.Table = 28 // app 0: token digest -> sessionRow of an operator at the console

	tableAudit     store.Table = 40 // app 0: number -> auditRecord, see audit_chain.go
	tableAuditMark store.Table = 41 // app 0: "head", "base" -> AuditHead
)

// The numbers of the reserved collections; every app has both from the start.
const (
	userCollection  uint32 = 1
	groupCollection uint32 = 2
	firstCollection uint32 = 16
)

// appConfig is one app (in Kinvey's words one environment) and its options.
type appConfig struct {
	Number         uint32     `json:"number"`
	Key            string     `json:"key"`
	Name           string     `json:"name"`
	Environment    string     `json:"environment"`
	APIVersion     int        `json:"apiVersion"` // of requests that name none
	NextCollection uint32     `json:"nextCollection"`
	Created        int64      `json:"created"` // Unix ms
	AppSecrets     []secret   `json:"appSecrets"`
	MasterSecrets  []secret   `json:"masterSecrets"`
	Options        AppOptions `json:"options"`

	Application string                     `json:"application,omitempty"` // that it is an environment of; "": the one of its own key
	Settings    map[string]json.RawMessage `json:"settings,omitempty"`    // echoed without effect; never changed in place
	Deleted     int64                      `json:"deleted,omitempty"`     // Unix ms; its rows do not count any more
}

// AppOptions are the settings of one app that its owner may change.
type AppOptions struct {
	GroupCreation  string        `json:"groupCreation"`           // who may create groups: "master" or "users"
	HideUnreadable bool          `json:"hideUnreadable"`          // unreadable entities answer as missing ones
	StrictACL      bool          `json:"strictAcl"`               // a non-creator's differing _acl is refused, not ignored
	PasswordPolicy bool          `json:"passwordPolicy"`          // length and common-password list
	LookAlikes     bool          `json:"refuseLookAlikes"`        // usernames that only look different are refused
	SessionIdle    time.Duration `json:"sessionIdleTimeout"`      // 0: none
	SessionMax     time.Duration `json:"sessionTimeoutInSeconds"` // 0: none
	CORSOrigins    []string      `json:"corsOrigins,omitempty"`   // whose pages may use the app, see cors.go
	Verification   verification  `json:"emailVerification"`
}

// A secret is the digest of an app or master secret; two may live while one
// replaces the other. The zero Until means no end.
type secret struct {
	Digest auth.Digest `json:"digest"`
	Until  int64       `json:"until,omitempty"` // Unix ms
}

// operatorRow is somebody who administers this server.
type operatorRow struct {
	Email      string `json:"email"`
	Password   string `json:"password"` // PHC string
	Generation uint64 `json:"generation"`
	Role       string `json:"role,omitempty"` // name of an opRole; "": owner

	TOTP        string `json:"totp,omitempty"`        // sealed secret of his authenticator, "": he has none
	TOTPPending string `json:"totpPending,omitempty"` // the same, until he has shown a code of it
	TOTPStep    int64  `json:"totpStep,omitempty"`    // of the last code that was taken
}

// collectionRow is the metadata of one collection.
type collectionRow struct {
	Number uint32    `json:"number"`
	Level  acl.Level `json:"level"`
	Delta  *deltaRow `json:"deltaSet,omitempty"` // nil: it does not remember its changes
	Orders *orderRow `json:"orders,omitempty"`   // nil: none is pinned or forbidden
}

// privateRow is what of a user is not his public form.
type privateRow struct {
	Username   string `json:"username"`
	Password   string `json:"password"`            // PHC string, "" = none
	Generation uint64 `json:"generation"`          // moved to end every session and cached credential
	Suspended  int64  `json:"suspended,omitempty"` // Unix ms since when, 0 = active
	LastLogin  int64  `json:"lastLogin,omitempty"` // Unix ms
	Locked     int64  `json:"locked,omitempty"`    // Unix ms since when he is locked down, 0 = not
	Identity   string `json:"identity,omitempty"`  // who he is at the identity bridge, verified; "" = nobody
	// Mail is what mails to him have led to, nil = nothing. It is replaced,
	// never changed.
	Mail *mailRow `json:"mail,omitempty"`
}

// sessionRow is one session; its key is the digest of the token.
type sessionRow struct {
	User       string `json:"user"` // user id, or e-mail of an operator
	Generation uint64 `json:"generation"`
	Created    int64  `json:"created"`  // Unix ms
	LastSeen   int64  `json:"lastSeen"` // Unix ms, written lazily
	// Grant is the handle of the login at an identity provider that opened it: the
	// session is good while the grant's access token is. "": there is none.
	Grant string `json:"grant,omitempty"`
	login
}

// A login is what a manager sees of how a session began. It decides nothing.
type login struct {
	Source string `json:"source,omitempty"` // password, signup, social, or mic: and the name of the service
	Device string `json:"device,omitempty"` // what the client calls itself
}

// countRow is the check on one collection: how many entities, the digest over
// all of them, and the next creation position.
type countRow struct {
	Count  uint64
	Next   uint32
	Digest [32]byte
}

func (c *countRow) encode() []byte {
	b := make([]byte, 0, 8+4+32)
	b = binary.BigEndian.AppendUint64(b, c.Count)
	b = binary.BigEndian.AppendUint32(b, c.Next)
	return append(b, c.Digest[:]...)
}

func decodeCount(b []byte) (countRow, error) {
	var c countRow
	if len(b) != 8+4+32 {
		return c, fmt.Errorf("count row of %d bytes", len(b))
	}
	c.Count = binary.BigEndian.Uint64(b)
	c.Next = binary.BigEndian.Uint32(b[8:])
	copy(c.Digest[:], b[12:])
	return c, nil
}

// encodeRow writes a metadata row as JSON of our own making; it never carries
// text of a stranger that decides anything.
func encodeRow(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encoding %T: %v", v, err)) // only our own plain structs come here
	}
	return b
}

func decodeRow[T any](b []byte) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("decoding %T: %w", v, err)
	}
	return v, nil
}

// applyTo keeps a row under its key as it is, or forgets it when it is deleted.
func applyTo[T any](rows *btree.Map[string, *T], key string, value []byte) error {
	if value == nil {
		rows.Delete(key)
		return nil
	}
	row, err := decodeRow[T](value)
	if err != nil {
		return err
	}
	rows.Set(key, row)
	return nil
}

// An entity is one stored document. It is immutable once published; an update
// makes a new one.
type entity struct {
	id       string
	pos      acl.Position // creation position, kept by updates
	acl      *acl.ACL
	ect, lmt int64  // Unix ms
	row      []byte // the stored value: fixed part, ACL, then the JSON as served
	bodyAt   uint32 // row[bodyAt:] is the JSON
	aclFrom  uint32 // body()[aclFrom:aclTo] is the _acl member's value
	aclTo    uint32
	seq      store.Seq // the record that wrote it, and its place in there
	index    uint32
}

// body returns the JSON exactly as it is served; it is never changed.
func (e *entity) body() []byte { return e.row[e.bodyAt:] }

// aclText returns the entity's _acl as served.
func (e *entity) aclText() []byte { return e.body()[e.aclFrom:e.aclTo] }

// members returns the document's own part of the JSON, as newEntity takes it.
func (e *entity) members() []byte { return e.body()[:e.aclFrom-uint32(len(aclMember))] }

// grants returns the ACL in binary, for the change row.
func (e *entity) grants() []byte { return e.row[entityFixed:e.bodyAt] }

// digest is the entity's share in the digest of its collection: which id has
// which grants since when.
func (e *entity) digest() [32]byte {
	h := make([]byte, 0, 256)
	h = binary.BigEndian.AppendUint32(h, uint32(len(e.id)))
	h = append(h, e.id...)
	h = binary.BigEndian.AppendUint64(h, uint64(e.seq))
	h = binary.BigEndian.AppendUint32(h, e.index)
	return sha256.Sum256(append(h, e.grants()...))
}

// The value of an entity row: a version byte, position, times and the span of
// _acl as fixed-width integers, the ACL in binary, then the JSON.
const (
	entityVersion = 1
	entityFixed   = 1 + 4 + 8 + 8 + 4 + 4
)

var errEntityRow = errors.New("entity row is malformed")

const aclMember = `,"_acl":`

// newEntity composes the row and the served JSON in one buffer. members is the
// document's own part as far as it is already JSON: `{"_id":"x","a":1` without
// the closing brace. The entity's place in history is set when it is applied.
func newEntity(id string, members []byte, pos acl.Position, a *acl.ACL, aclText []byte, ect, lmt int64) *entity {
	e := &entity{id: id, pos: pos, acl: a, ect: ect, lmt: lmt}
	b := make([]byte, entityFixed, entityFixed+len(members)+2*len(aclText)+160)
	b[0] = entityVersion
	binary.BigEndian.PutUint32(b[1:], uint32(pos))
	binary.BigEndian.PutUint64(b[5:], uint64(ect))
	binary.BigEndian.PutUint64(b[13:], uint64(lmt))
	b = a.AppendBinary(b)
	e.bodyAt = uint32(len(b))
	b = append(b, members...)
	b = append(b, aclMember...)
	e.aclFrom = uint32(len(b)) - e.bodyAt
	b = append(b, aclText...)
	e.aclTo = uint32(len(b)) - e.bodyAt
	b = append(b, `,"_kmd":{"lmt":"`...)
	b = appendTime(b, lmt)
	b = append(b, `","ect":"`...)
	b = appendTime(b, ect)
	b = append(b, `"}}`...)
	binary.BigEndian.PutUint32(b[21:], e.aclFrom)
	binary.BigEndian.PutUint32(b[25:], e.aclTo)
	e.row = b
	return e
}

// decodeEntity reads an entity row. The entity keeps value: the caller hands
// it over.
func decodeEntity(id string, value []byte, seq store.Seq, index uint32) (*entity, error) {
	if len(value) < entityFixed || value[0] != entityVersion {
		return nil, errEntityRow
	}
	a, body, err := acl.DecodeBinary(value[entityFixed:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEntityRow, err)
	}
	e := &entity{
		id:      id,
		pos:     acl.Position(binary.BigEndian.Uint32(value[1:])),
		acl:     a,
		ect:     int64(binary.BigEndian.Uint64(value[5:])),
		lmt:     int64(binary.BigEndian.Uint64(value[13:])),
		row:     value,
		bodyAt:  uint32(len(value) - len(body)),
		aclFrom: binary.BigEndian.Uint32(value[21:]),
		aclTo:   binary.BigEndian.Uint32(value[25:]),
		seq:     seq,
		index:   index,
	}
	if e.aclFrom > e.aclTo || int(e.aclTo) > len(body) {
		return nil, errEntityRow
	}
	return e, nil
}

// timeForm is Kinvey's: ISO 8601, milliseconds, Z.
const timeForm = "2006-01-02T15:04:05.000Z"

func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, timeForm)
}

// parseTime reads Kinvey's form of a time into Unix ms.
func parseTime(s string) (int64, bool) {
	t, err := time.Parse(timeForm, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return 0, false
	}
	return t.UnixMilli(), true
}
