package engine

import (
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"postern/auth"
	"postern/engine/script"
	"postern/engine/store"
)

// Config is what an Engine is made of. The zero value of every optional field
// is the setting of a server for other people's data.
type Config struct {
	// Driver holds the data; the engine closes it.
	Driver store.Driver

	Clock  func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand.Reader; of ids, tokens and secrets
	Logger *slog.Logger     // nil: discards

	Version string // of the program, told to operators

	Argon     auth.Params      // zero: auth.DefaultParams
	HashSlots int              // passwords hashed at once; 0: 2
	HashQueue int              // waiting for that; 0: 32
	Throttle  auth.Limits      // zero: off
	Quota     auth.QuotaLimits // zero: off; what the app secret alone can ask for
	MaxBody   int              // bytes of a request body; 0: 1 MiB
	MaxArray  int              // bytes of a body that is an array of documents; 0: 10 MiB
	QueryRows int              // visible entities that one query examines; 0: 1,000,000, negative: any number
	QueryTime time.Duration    // that one query takes; 0: 2 s, negative: any
	// RebuildAfter is after how many changes of a collection its index is made
	// anew in the background; 0: 4,096, or a 64th of its entities if that is more.
	RebuildAfter int
	// OrderAfter is after how many rows that queries have looked at for want of
	// an order of the collection it is made; 0: 10,000.
	OrderAfter int
	// SnapshotDir is where snapshots of large collections are kept, for a short
	// start; "": there are none.
	SnapshotDir string
	// SnapshotLeast is how many entities a collection has that has snapshots; 0:
	// 10,000.
	SnapshotLeast int
	// SnapshotAfter is after how many changes of a collection its snapshot is
	// made anew in the background; 0: 262,144, or a quarter of its entities if
	// that is more.
	SnapshotAfter int
	// ValueMemory is how many bytes of entities are held in memory. What is
	// beyond is read in place from files of the snapshots; 0: 256 MiB.
	ValueMemory int
	// AuditKeep is for how many days records of the audit are kept; 0: 400, negative:
	// for ever.
	AuditKeep int
	// NoSamples leaves refused requests and uses of the master secret out of the
	// audit: nothing is written unasked. They are counted all the same.
	NoSamples  bool
	LogDenials bool // log every denial with its reason
	// OnRequest is called with each request when it was answered; nil: nobody wants
	// to know. It must not wait for anything.
	OnRequest func(*LoggedRequest)
	// LoopbackHostsOnly refuses a Host header that is not the loopback
	// interface, so that a page on the web cannot reach a development server
	// by a name that it resolves to 127.0.0.1.
	LoopbackHostsOnly bool
	// AlsoHosts are domains whose hosts are answered all the same: those that
	// are fixed in SDKs, which a hosts file leads to this server.
	AlsoHosts []string
	// TrustLoopback switches limits per network off for loopback addresses.
	TrustLoopback bool
	// TrustedProxies are the peers whose X-Forwarded-For is believed. Limits
	// count by the address that it names; from all others it is ignored.
	TrustedProxies []netip.Prefix
	// Scripts runs the reducers of _group that are not known from a client
	// library; nil refuses them.
	Scripts *script.Runner
	// PublicURL is where clients reach the server: the beginning of every link
	// in a mail. "": no mail is sent.
	PublicURL string
	// Mailer takes the mails that the engine sends; nil: no mail is sent.
	Mailer Mailer
	// MailFrom is the sender of mails; "": postern@ the host of PublicURL.
	MailFrom string
	// Identities verifies what clients say about who they are elsewhere; nil:
	// nothing that they say is believed.
	Identities IdentityVerifier
	// SealKey seals the secrets of identity providers; nil: none can be stored.
	SealKey *auth.SealKey
	// ProviderNetworks are private networks in which identity providers may be
	// reached by HTTP.
	ProviderNetworks []netip.Prefix
	// OnFailure is called once when the store has failed and nothing can be
	// written any more; the process should end. nil: only logged.
	OnFailure func(error)
}

func (c *Config) defaults() {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Argon == (auth.Params{}) {
		c.Argon = auth.DefaultParams
	}
	if c.HashSlots == 0 {
		c.HashSlots = 2
	}
	if c.HashQueue == 0 {
		c.HashQueue = 32
	}
	if c.OrderAfter == 0 {
		c.OrderAfter = 10_000
	}
	if c.SnapshotLeast == 0 {
		c.SnapshotLeast = 10_000
	}
	if c.ValueMemory == 0 {
		c.ValueMemory = 256 << 20
	}
	if c.AuditKeep == 0 {
		c.AuditKeep = 400
	}
	if c.QueryRows == 0 {
		c.QueryRows = 1_000_000
	}
	if c.QueryTime == 0 {
		c.QueryTime = 2 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxArray == 0 {
		c.MaxArray = 10 << 20
	}
}
