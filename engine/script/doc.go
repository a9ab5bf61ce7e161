// Package script runs JavaScript that strangers wrote, for the one thing that
// it is allowed to do here: to reduce the documents of an aggregation.
//
// The interpreter bounds neither memory nor time, so it runs in a process of its
// own, one for each request: the same program, started with a hidden command
// that ends up in Main. The process has an empty environment, no file but the two
// pipes to its parent, and no clock or randomness that a script could ask. Where
// it goes wrong in any way it is ended, and the request is answered with an
// error.
//
//	S1  Time is bounded by the parent, which kills the process.
//	S2  Memory is bounded by the process itself before it reads anything, on
//	    Linux only: Limited says whether. Without the bound a script can use as
//	    much as it gets in its time.
//	S3  The parent reads a bounded amount, and believes nothing of it: every
//	    accumulator must be one JSON object.
//	S4  At most two processes run at once; who waits too long is refused.
//
// # What goes over the pipes
//
// Lengths and numbers are unsigned varints. To the process: the length and text of
// the reducer; then for each document the number of its bucket, the length and
// text of the accumulator if the bucket is a new one (else length 0), the length
// and text of the document; then the end. Back: one byte, 0 and then the number of
// accumulators and the length and text of each, or 1 and then a message.
package script
