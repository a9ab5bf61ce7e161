package engine

import (
	"encoding/json"

	"postern/auth/mic"
	"postern/engine/document"
)

// AddLocalService gives an app an auth service of its own users and makes it the
// app's default, so that Mobile Identity Connect works where there is no
// directory. Every way to log in is open: it is for development. redirects are the
// URIs that apps may ask to be sent back to.
func (e *Engine) AddLocalService(appKey, name string, redirects []string) (id string, err error) {
	a, ok := e.appByKey(appKey)
	if !ok {
		return "", errAppNotFound
	}
	st := &identityStore{ID: mic.NewSecret(e.Random()), Name: name}
	if err := e.setStore(byServer, st); err != nil {
		return "", err
	}
	s, err := e.setService(byServer, "", &authService{
		Name: name, IdentityStore: st.ID, RedirectURI: redirects, GrantTTL: usualGrantTTL, TokenTTL: usualTokenTTL,
		Refresh: true, RefreshTTL: usualRefreshTTL, Provider: authProvider{Type: kindLocal},
		AllowPasswordGrant: true, AllowTemporaryURI: true,
	})
	if err != nil {
		return "", err
	}
	return s.ID, e.committer.submit(a, &changeApp{app: a, by: byServer, act: "set auth service", change: func(c *appConfig, _ int64) error {
		for name, id := range map[string]string{settingStore: st.ID, settingService: s.ID} {
			if err := c.keepSetting(name, document.Trusted(json.RawMessage(document.AppendQuote(nil, id)))); err != nil {
				return err
			}
		}
		return nil
	}})
}
