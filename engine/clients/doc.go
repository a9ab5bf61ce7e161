// Package clients holds the tests of Postern with published, unmodified clients
// of Kinvey. It has no code of its own.
//
// Each test builds the real binary, starts "postern dev" on a data directory of its
// own and lets node run scripts from testdata against it, each a program of one or
// more users that use nothing but the client. Every check of a script is a subtest.
// At the end the server is asked to stop, must end well, and "postern check" must
// find nothing wrong with the data it leaves.
//
// kinvey-node-sdk 3.12.5, the last version that was published for Node.js:
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
// configuration. Its packages are pinned in testdata/cli. TestKinveyCLIAndMIC shows that
// it leaves identity stores and auth services alone, for which it has no command.
//
// All clients, in testdata/life:
//
//	lifecycle.js  what each is put through: users, entities, queries, permissions
//	node.js       kinvey-node-sdk 3.2.1, and what is missing above of 3.12.5
//	js.js         kinvey-js-sdk 7.0.0, the core of the SDKs for browsers and phones
//	platform.js   what a platform supplies to that core
//	kinvey.js     kinvey 1.7.0, the SDK before them
//	flex.js       kinvey-flex-sdk 3.3.0, code beside the server
//	untrusted.js  that certificates are looked at
//
// Mobile Identity Connect, in testdata/mic:
//
//	logins.js       what each way to log in is put through: refusals, expiry, logout
//	node.js         kinvey-node-sdk 3.12.5: temporary URI, and a page that the app opens
//	js.js           kinvey-js-sdk 7.0.0: login page, and password grant
//	directory.js    the same two with users of a real OpenID provider (build tag e2e)
//	client-node.js  and client-js.js: the two as these scripts use them
//	browser.js      a person at a browser without a screen
//	service.js      the operator, and an app without an SDK
//	provider.js     the OpenID provider
//
// With the build tag e2e, in testdata/browser: kinvey-html5-sdk 3.12.5, and
// kinvey-js-sdk 7.0.0 with the part for browsers of kinvey-html5-sdk 9.0.0, in pages
// of Debian's Chromium:
//
//	mic.js        a window on the login page, a person who types, a page with a session
//	directory.js  the same on the pages of a real OpenID provider
//	app.js        the app, its page and its server
//
// js.js and kinvey.js insist on https. They go through the certificate authority
// of "postern dev --tls" with NODE_EXTRA_CA_CERTS, js.js to the host names that are
// fixed in it.
//
// The packages and all they need are pinned by the package-lock.json files in
// testdata, installed with npm once for each content of such a file, and kept in the
// user's cache directory. Where node, npm or a package cannot be had a test is
// skipped and says so, except under CI=true, where that is a failure.
package clients
