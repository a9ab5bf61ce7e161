// Package auth answers who is asking: it reads credentials, makes and checks passwords,
// tokens and secrets, and decides who may have a password checked when. What the answer
// permits is the business of package acl; which user a name belongs to, that of
// the caller.
//
// The package is pure. Time is an argument, randomness is an io.Reader, a network is a
// string, and no state is global. It keeps these promises; tests name them:
//
//   - P1 A secret, token or password is held no longer than the call: what is stored
//     or remembered is a hash, or an HMAC under a key that dies with the process.
//     No error repeats one.
//   - P2 What a stranger may guess at is compared in constant time.
//   - P3 A name without an account costs the same derivations in the same lane as a
//     wrong password (Hasher.VerifyNothing).
//   - P4 Password checks are slowed, never locked (Throttle, rules T1-T5), bounded in
//     number (Hasher), and admitted before they queue.
//   - P5 All memory is bounded, whatever strangers send.
//
// # Checking a password
//
// The order matters, and each step takes the result of the one before:
//
//	credentials := ParseAuthorization(header)
//	generation  := the user's credential generation, read before anything is checked
//	Cache.Get   -> a hit with that generation: done
//	Throttle.Admit -> not ok: answer "later" with the wait
//	Hasher.Verify with Throttle.Known, or VerifyNothing for an unknown name
//	    ErrBusy or a cancelled context -> Throttle.Undo
//	    wrong                          -> Throttle.Failed
//	    right                          -> Throttle.Succeeded, Cache.Put with generation
//
// # Formats
//
//	session token       <uuid v4>.<base64 of 32 random bytes>    0a83…-….X0KQ…=
//	app, master secret  32 lower-case hex digits
//	password            $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>   unpadded base64
//	generated password  $sha256$<digest>                              unpadded base64
//	imported password   $2a$<cost>$<salt and hash>                    bcrypt, until the next login
//
// Tokens and secrets are found and compared by their SHA-256 (Digest).
package auth
