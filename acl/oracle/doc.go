// Package oracle answers the question of package acl a second time, slowly.
//
// It was written from the security guide and the rules R1 to R13 alone, by
// somebody who had not read package acl, and it shares no code with it: maps,
// loops and recursion, nothing cached, nothing indexed. Tests put it beside
// acl.Decide and acl.Index, because two implementations that read an ACL
// through the same functions cannot show each other a mistake they share.
//
// Only tests import this package. Nothing here is meant to be fast.
package oracle
