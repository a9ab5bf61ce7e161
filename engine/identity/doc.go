// Package identity has the tests of Mobile Identity Connect from end to end, with the
// build tag e2e: a "postern serve" set up with the commands and the settings that the
// README has, a real identity provider of each kind, a headless Chromium in which
// somebody types his name and password, and the app that he is sent back to.
//
// POSTERN_SCREENSHOTS names a directory that keeps the pictures which are taken.
package identity
