package engine

import (
	"reflect"
	"unsafe"
)

// What the attacks of package engine_test need to see or to hold from inside.

// AttackRoutes lists the routes of the public server and those that only the
// socket in the data directory has, as "METHOD path".
func (e *Engine) AttackRoutes() (public, socket []string) {
	for _, r := range append(e.routes(), e.probes()...) {
		public = append(public, r.method+" "+r.path)
	}
	for _, r := range e.adminRoutes() {
		socket = append(socket, r.method+" "+r.path)
	}
	return public, socket
}

// AttackDerivations has before called ahead of every Argon2 computation of the
// engine. It reaches through reflection for what auth does not export, so that
// no door has to be left in the product for the sake of a test.
func (e *Engine) AttackDerivations(before func()) {
	f := reflect.ValueOf(e.hasher).Elem().FieldByName("derive")
	f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
	derive := reflect.ValueOf(f.Interface())
	f.Set(reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		before()
		return derive.Call(args)
	}))
}

// AttackWaiting tells how many intents of requests wait for the committer. Those of
// the indexer come when they like.
func (e *Engine) AttackWaiting() (n int) {
	e.committer.mu.Lock()
	defer e.committer.mu.Unlock()
	for _, q := range e.committer.queues {
		for _, s := range q {
			if _, background := s.intent.(*rebase); !background {
				n++
			}
		}
	}
	return n
}
