// Package ldap is a mic.Passwords in front of an LDAP directory or of Active
// Directory. It proves a password by a bind, and says who that was, what the
// directory tells of him and which groups he is in.
//
// # A login
//
//	find    with a service account: search for the one entry of the name.
//	        With a template of a DN, or in Active Directory without a service
//	        account: the name to bind as is made, nothing is searched for.
//	prove   bind as that entry, on a connection made for it and closed behind it.
//	        The name of nobody is bound as an entry that is not there, so that it
//	        takes the round trips of a wrong password.
//	read    the entry, by its DN, with the service account, or else as the user.
//	judge   disabled, expired, locked, password to be changed: *mic.AccountError.
//	name    the subject, which must be there once and be nobody else's.
//	groups  their names, those that hold his groups included if asked.
//
// # What holds
//
//   - D1 What a stranger types reaches a filter or a DN escaped, and is refused
//     before any connection when it is empty, too long or holds control characters.
//   - D2 Nothing is bound with an empty name or an empty password: many directories
//     answer such a bind with success, for anybody.
//   - D3 A password crosses the network under TLS, the certificate checked; in plain
//     only to loopback or when the Config says so. A server that refuses StartTLS is
//     not spoken to.
//   - D4 Connections of the pool have only ever been bound as the service.
//   - D5 Referrals are not followed: a referral would choose where passwords go.
//   - D6 Every answer is bounded in bytes, entries and time, every walk in depth.
//   - D7 What is wrong with an account is told to who has shown its password, and to
//     nobody else.
//   - D8 A login is one entry's. Two entries for a name, or two for a subject, are none.
package ldap
