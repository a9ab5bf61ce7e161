// Package engine is the server: it joins who is asking (auth), what he may see
// (acl) and which of that he wants (engine/query) over the rows of the store
// (engine/store).
//
// # The one write path
//
// A handler authenticates, validates, hashes and parses, and hands an intent to
// the committer (commit.go). The committer is one goroutine. It takes intents in
// groups; each is decided on a draft (draft.go), a copy-on-write clone of the
// state that already holds the earlier intents of its group. What comes out are
// rows. One record of rows is appended for the whole group; when it is durable,
// the draft becomes the view that readers see, and only then is anybody answered.
//
// Nothing else writes to the store. A row gets into the state by apply
// (state.go), whether it was just committed or is loaded at start, so there is
// one way to derive the state from the rows.
//
// # The one read path
//
// A request loads the view of its app once: an immutable state at one moment.
// Lists, counts and deletes by query read the stream of entities that the
// subject may see (view.go) and match those; what he may not see never gets
// near a query. The store is not read on behalf of a request, except by a
// backup and by who reads the audit.
//
// A collection holds a base (base.go): its entities packed one after the other
// in the order of creation, who may read each of them (acl.Base), and orders by
// id and by other fields; and, small and beside it, what has changed since
// (contents.go). A list walks the two together (acl.Walk), in one of the orders
// and no further than the page. The indexer (indexer.go) makes a new base in
// the background when much has changed (rebuild.go), and the committer puts it
// in the place of the old one.
//
// Orders make themselves: a query that has to look through everything for want
// of one is noted, and when that is repeated and dear the next base has it
// (uses.go). Four of them have room; then one goes for another only when that
// would have saved clearly more rows in the same time, and not often. Orders can
// be pinned and forbidden (manage_orders.go).
//
// plan.go chooses between what there is, search.go runs what was chosen, and
// explain.go tells a manager of both. An order also answers for equalities, ranges
// and a few values of its first field: what matches is one part of it, or a few,
// which are merged (merge.go). Documents with an array there are set aside and
// matched one by one (aside.go). What is chosen goes by the query, by the orders
// there are, and by how much of what the subject sees is where, so hidden
// entities change neither the choice nor the rows that are looked at. Which orders
// there are is everybody's doing, but only rows that somebody saw count for it.
//
// # Why
//
// why.go tells a manager why somebody may do something, who may, and what he sees;
// preview.go tells who would gain or lose what by a change that is not made yet;
// rights.go tells a client what he may do with what he is shown. All of them ask
// acl.Decide, or acl.Explain, which is Decide with what it has looked at.
//
// # Mobile Identity Connect
//
// An identity provider proves who somebody is (auth/mic, mic_providers.go); the
// app gets a grant for it, and for the grant a session. What waits for a next step
// is in memory; grants are rows (mic_grant.go), of which only digests of the
// tokens are kept. mic_oauth.go is what apps see of it, mic_page.go what browsers
// do, mic_manage.go and mic_service.go the settings, whose secrets are sealed.
// What a provider says of a user becomes fields and groups in the commit of his
// session (mic_map.go). A session that was opened for a grant is live while its
// access token is.
//
// # Snapshots
//
// The base of a large collection is also kept in files (snapshots.go), as the
// state at one record, in the form that it has in memory (snapshot_file.go). They
// are written in the background when much has changed, and at a clean stop
// (snapshot_save.go). A start takes one instead of the rows of the collection if
// it is of this store's own history and what the log says of the time since
// leads to the committed count and digest (snapshot_load.go); else it loads the
// rows. So a snapshot decides nothing, it may be removed at any time, and a
// backup has none.
//
// The entities themselves are in files beside the base. Those beyond
// Config.ValueMemory are read in place from there: see snapshots for who may
// hold what he read, and for how long.
//
// # Mails
//
// What is to be sent is a row (outbox.go) that goes when the mail was handed
// over, so a mail is sent at least once. The token of its link is made at that
// moment, and its digest stands in the row of the user, where it dies with his
// credentials, his address and its time (verify.go). Whoever asks for a mail
// cannot tell whether there is anybody to get it.
//
// # Console
//
// There are three ways in, or planes: the public listener, the socket in the data
// directory, and the console's listener. They have the same handlers and differ in
// authenticate. console_plane.go is the listener and what it refuses, console_session.go
// its cookie, console_roles.go what a viewer, an editor and an owner may do, which
// holds for an operator's token of the management API, too. The page is in
// engine/console. operator_manage.go and operator_totp.go are about operators.
//
// # Audit
//
// Who has changed what decides (levels, ACLs, groups, settings, secrets, users,
// sessions, operators, providers) is told by records that are made inside the commit,
// in its order (draft.append, audit_chain.go). What was before and is after is read
// off the rows of an intent (audit_changes.go, audit_system.go), so no intent can
// change it unseen; the intent says who asked. The state holds the head of the chain
// and no record. What happens often and changes nothing (denials, failed logins, uses
// of the master secret) is sampled (audit_samples.go).
//
// # Invariants
//
//	I1  What is acknowledged is durable: it was synced in one piece with
//	    the header of its record. (store; TestKill*)
//	I2  The state in memory is derived: loading the store anew gives the same.
//	    Counts and digests of every collection are committed with it, and what
//	    comes from a snapshot has to lead to them. (check.go, snapshot_load.go)
//	I3  Every stored value carries its Seq and a checksum; a mismatch is an error
//	    that names the key, never "not found". (store)
//	I4  A view is of one app at one Seq: permissions and contents of an answer
//	    are of the same moment.
//	I5  A revocation that was acknowledged is in force for every request that
//	    starts later, because the view was published before the answer.
//	I6  The index of a collection equals acl.Decide over its entities; the number
//	    of ACLs that name a group, or say more than a creator, is right. (check.go, and under the build tag
//	    invariants on every list)
//	I7  Keys begin with shard and app.
//	I8  Nothing that is kept points into the buffers of a request.
//	I9  What the audit is about is changed in one record of the store with the
//	    records of the audit that say so, each of which carries the hash of the
//	    one before; the store's own chain carries the last one's. (audit_verify.go)
//
// # Reading the source
//
// routes.go (every URL), handle.go (the adapter), authenticate.go, entities.go
// and entity_intents.go (a handler and its intent), commit.go, draft.go, state.go,
// contents.go, base.go, view.go, plan.go, search.go; load.go, snapshots.go. What a
// management client calls is in manage_*.go.
package engine
