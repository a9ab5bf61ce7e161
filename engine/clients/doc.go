// Package clients holds the tests of Postern with published, unmodified clients
// of Kinvey. It has no code of its own.
//
// The client is kinvey-node-sdk, the last version that was published for Node.js.
// Its test builds the real binary, starts "postern dev" on a data directory of its
// own and lets node run the scripts in testdata against it, each a program of one
// or more users that use nothing but the SDK. Every check of a script is a subtest.
// At the end the server is asked to stop, must end well, and "postern check" must
// find nothing wrong with the data it leaves.
//
//	users.js    the life of a user: sign-up, sessions, passwords, discovery, removal
//	data.js     one user and one collection: saving, and all that a query can say
//	acl.js      an ACL in every form, and grants, groups and levels that change
//	matrix.js   level x shape of the ACL x kind of user x operation, from a small table
//	offline.js  the stores that keep a copy and talk to the server in the background
//	harness.js  what the scripts share
//
// TestKinveyCLI does the same with kinvey-cli, the client that manages: one operator
// makes apps, environments and collections with it, and applies and exports their
// configuration. Its packages are pinned in testdata/cli.
//
// The package and all it needs are pinned by testdata/package-lock.json, installed
// with npm once for each content of that file, and kept in the user's cache
// directory. Where node, npm or the package cannot be had the test is skipped and
// says so, except under CI=true, where that is a failure.
package clients
