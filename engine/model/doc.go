// Package model is the backend once more, as simply as it can be said.
//
// A Model answers the same requests as the server: it keeps two apps with
// their users, groups, collections and entities in slices and maps, walks them
// from end to end for every answer, and asks acl/oracle who may do what. It
// was written from the requirements alone and shares no code with the server,
// so that random requests sent to both show where one of them is wrong.
//
// What only the server can choose (ids, tokens, times, generated names and
// passwords) the model takes over from the server's answer, after looking at
// its shape; the times of delta sets it holds against the order of the requests
// (delta.go). Where the requirements allow several answers, the expected body
// holds a Check instead of a value.
//
// World makes random requests, Compare holds two answers against each other,
// and Drive does both until they differ. Only tests import this package.
package model
