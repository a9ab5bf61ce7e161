package engine

import (
	"encoding/json"
	"errors"

	"github.com/valyala/fasthttp"

	"postern/auth/mic"
	"postern/engine/document"
	"postern/engine/store"
)

// The management of identity stores and auth services, in the form of Kinvey's
// management API. Both belong to the server; environments refer to them.

const (
	maxServices = 200
	maxStores   = 200
)

// changeSystem changes rows that belong to no app.
type changeSystem struct {
	by        actor
	act, item string
	change    func(d *draft, s *systemState) ([]store.Op, error)
}

func (in *changeSystem) audit() auditLine { return auditLine{actor: in.by, Act: in.act, Item: in.item} }

func (in *changeSystem) plan(d *draft) ([]store.Op, error) { return in.change(d, d.systemState()) }

func serviceOp(id string, s *authService) store.Op {
	op := store.Op{Key: store.Key{Table: tableAuthService, ID: id}, Quiet: true}
	if s != nil {
		op.Value = encodeRow(s)
	}
	return op
}

func storeOp(id string, s *identityStore) store.Op {
	op := store.Op{Key: store.Key{Table: tableIdentityStore, ID: id}, Quiet: true}
	if s != nil {
		op.Value = encodeRow(s)
	}
	return op
}

var errServiceNotFound = fault(errEntityNotFound, "there is no such auth service or identity store")

func (e *Engine) listServices(r *Request) error {
	var items [][]byte
	var failed error
	e.system.Load().services.Scan(func(_ string, s *authService) bool {
		b, err := s.describe()
		failed = errors.Join(failed, err)
		items = append(items, b)
		return true
	})
	if failed != nil {
		return failed
	}
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) getService(r *Request) error {
	s, ok := e.system.Load().services.Get(r.param(0))
	if !ok {
		return errServiceNotFound
	}
	return r.service(fasthttp.StatusOK, s)
}

func (r *Request) service(status int, s *authService) error {
	b, err := s.describe()
	if err != nil {
		return err
	}
	return r.json(status, b)
}

func (e *Engine) makeService(r *Request) error { return r.setService("") }

func (e *Engine) putService(r *Request) error {
	if _, ok := e.system.Load().services.Get(r.param(0)); !ok {
		return errServiceNotFound
	}
	return r.setService(r.param(0))
}

// setService makes or replaces a service. What cannot work is refused now, and
// not when somebody logs in.
func (r *Request) setService(id string) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	s, err := readService(doc)
	if err != nil {
		return err
	}
	if s, err = r.e.setService(r.actor(), id, s); err != nil {
		return err
	}
	status := fasthttp.StatusOK
	if id == "" {
		status = fasthttp.StatusCreated
	}
	return r.service(status, s)
}

func (e *Engine) setService(by actor, id string, s *authService) (*authService, error) {
	if e.config.PublicURL == "" {
		return nil, fault(errConfiguration, "Mobile Identity Connect needs --public-url: what is sent to an identity provider is never made from what a client says")
	}
	before, _ := e.system.Load().services.Get(id)
	act := "change auth service"
	if s.ID = id; id == "" {
		s.ID, act = mic.NewSecret(e.Random()), "make auth service"
	}
	if err := s.keepSecrets(before); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := e.seal(s); err != nil {
		return nil, err
	}
	if s.Provider.Type != kindLocal {
		p, err := e.makeProvider(s)
		if err != nil {
			return nil, fault(errOutOfRange, "%s", err)
		}
		_ = p.Close()
	}
	in := &changeSystem{by: by, act: act, item: s.ID, change: func(_ *draft, st *systemState) ([]store.Op, error) {
		now, exists := st.services.Get(s.ID)
		switch {
		case id != "" && !exists:
			return nil, errServiceNotFound
		case before != nil && now.Version != before.Version:
			return nil, fault(errBadRequest, "the auth service was changed in the meantime")
		case !exists && st.services.Len() >= maxServices:
			return nil, fault(errOutOfRange, "there are at most %d auth services", maxServices)
		}
		if _, ok := st.stores.Get(s.IdentityStore); !ok && s.IdentityStore != "" {
			return nil, fault(errOutOfRange, "identityStoreId: there is no such identity store")
		}
		s.Version = 1
		if exists {
			s.Version = now.Version + 1
		}
		return []store.Op{serviceOp(s.ID, s)}, nil
	}}
	return s, e.committer.submit(nil, in)
}

func (e *Engine) deleteService(r *Request) error {
	id := r.param(0)
	in := &changeSystem{by: r.actor(), act: "delete auth service", item: id, change: func(_ *draft, s *systemState) ([]store.Op, error) {
		if _, ok := s.services.Get(id); !ok {
			return nil, errServiceNotFound
		}
		return []store.Op{serviceOp(id, nil)}, nil
	}}
	if err := e.committer.submit(nil, in); err != nil {
		return err
	}
	// Nothing is granted by it any more; now its sessions end as well.
	for _, a := range e.apps.Load().byNumber {
		for more := true; more; {
			end := &endGrantsOf{app: a, by: r.actor(), service: id}
			if err := e.committer.submit(a, end); err != nil && !errors.Is(err, errAppNotFound) {
				return err
			}
			more = end.more
		}
	}
	return r.nothing()
}

func (s *identityStore) describe() []byte { return encodeRow(s) }

func (e *Engine) listStores(r *Request) error {
	var items [][]byte
	e.system.Load().stores.Scan(func(_ string, s *identityStore) bool {
		items = append(items, s.describe())
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) getStore(r *Request) error {
	s, ok := e.system.Load().stores.Get(r.param(0))
	if !ok {
		return errServiceNotFound
	}
	return r.json(fasthttp.StatusOK, s.describe())
}

func (e *Engine) makeStore(r *Request) error {
	doc, err := r.object()
	if err != nil {
		return err
	}
	name := doc.Get("name")
	if name.Kind() != document.String || name.Text() == "" || len(name.Text()) > 200 {
		return fault(errOutOfRange, "name has 1 to 200 bytes")
	}
	s := &identityStore{ID: mic.NewSecret(e.Random()), Name: name.Text()}
	if v := doc.Get("access"); v.Kind() == document.Object && len(v.Raw()) <= maxSetting {
		s.Access = append(json.RawMessage(nil), v.Raw()...)
	}
	if err := e.setStore(r.actor(), s); err != nil {
		return err
	}
	return r.json(fasthttp.StatusCreated, s.describe())
}

func (e *Engine) setStore(by actor, s *identityStore) error {
	return e.committer.submit(nil, &changeSystem{by: by, act: "make identity store", item: s.ID, change: func(_ *draft, st *systemState) ([]store.Op, error) {
		if st.stores.Len() >= maxStores {
			return nil, fault(errOutOfRange, "there are at most %d identity stores", maxStores)
		}
		return []store.Op{storeOp(s.ID, s)}, nil
	}})
}

func (e *Engine) deleteStore(r *Request) error {
	id := r.param(0)
	in := &changeSystem{by: r.actor(), act: "delete identity store", item: id, change: func(_ *draft, s *systemState) ([]store.Op, error) {
		if _, ok := s.stores.Get(id); !ok {
			return nil, errServiceNotFound
		}
		used := false
		s.services.Scan(func(_ string, service *authService) bool {
			used = used || service.IdentityStore == id
			return !used
		})
		if used {
			return nil, fault(errOutOfRange, "the identity store has auth services")
		}
		return []store.Op{storeOp(id, nil)}, nil
	}}
	if err := e.committer.submit(nil, in); err != nil {
		return err
	}
	return r.nothing()
}

// trialLogin walks a login for who sets up a service, step by step.
func (e *Engine) trialLogin(r *Request) error {
	s, ok := e.system.Load().services.Get(r.param(0))
	if !ok {
		return errServiceNotFound
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	text := func(name string) string {
		if v := doc.Get(name); v.Kind() == document.String {
			return v.Text()
		}
		return ""
	}
	var steps [][]byte
	err = e.testService(s, text("username"), text("password"), func(step string, err error) {
		o := new(jsonObject).text("step", step).flag("ok", err == nil)
		if err != nil {
			o.text("error", err.Error())
		}
		steps = append(steps, o.close())
	})
	o := new(jsonObject).flag("ok", err == nil)
	if err != nil {
		o.text("error", err.Error())
	}
	return r.json(fasthttp.StatusOK, o.raw("steps", string(jsonList(steps))).close())
}

// samlMetadata is what a SAML provider is told about a service.
func (e *Engine) samlMetadata(r *Request) error {
	s, ok := e.system.Load().services.Get(r.param(0))
	if !ok || s.Provider.Type != kindSAML {
		return errServiceNotFound
	}
	s, err := e.open(s)
	if err != nil {
		return err
	}
	c, err := e.samlConfig(s)
	if err != nil {
		return err
	}
	b, err := c.Metadata()
	if err != nil {
		return err
	}
	r.ctx.Response.Header.Set("Content-Type", "application/samlmetadata+xml")
	return r.json(fasthttp.StatusOK, b)
}
