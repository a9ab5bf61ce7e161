package model

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"postern/acl/oracle"
)

// An App is one app and its secrets, which server and model must agree on.
type App struct {
	Key               string
	Name              string
	Secret            string
	MasterSecret      string
	UsersCreateGroups bool // groupCreation=users rather than master
}

// Config is what a Model is made of.
type Config struct{ Apps []App }

// A Request is what a client sends. Path is raw: percent-encoded and with its
// query. An empty Body is none.
type Request struct {
	Method string
	Path   string
	Header map[string]string
	Body   []byte
}

// A Response is an answer of the server or of the model. In an answer of the
// model, Body may hold a Check wherever more than one value is right.
type Response struct {
	Status int
	Header map[string]string // of a server, or of a model without one; nil is not looked at
	Error  string            // the name of the error, or "" when it went well
	Body   any               // nil when there is none; decoded JSON with json.Number

	Also       []int    // statuses that are as good as Status; model only
	Complaints []string // what the server chose and should not have; model only
}

// An amount is a number that a server may write in any form.
type amount float64

// A Check says what is wrong with a value in the server's answer, or "".
// Present is false when there is none.
type Check func(value any, present bool) string

// A Model is the naive server. It is not safe for concurrent use.
type Model struct {
	apps []*app
	made int // how many ids, tokens and times the model had to make up

	moment int // how many changes there were, see delta.go
}

type app struct {
	App
	users       *collection
	groups      *collection
	collections []*collection // of entities
	sessions    []*session
	groupIDs    map[string]bool // of every group there ever was
	tokens      []string        // every token there ever was

	starts         []start
	regroupedAt    map[string]int // moments, by user
	allRegroupedAt int            // moment
}

type collection struct {
	name    string
	level   oracle.Level
	records []*record // in the order of creation
	history []change
	delta   *delta // nil: off
}

// A record is an entity, a user or a group.
type record struct {
	id       string
	body     Object // without _id, _acl and _kmd
	aclText  Object
	acl      *oracle.ACL
	ect, lmt string

	group oracle.Group // of a group

	// Of a user:
	password  string
	llt       string // "" when the server has not told
	suspended bool
}

type session struct {
	token string
	user  *record
}

// New returns a model of these apps, without users and collections.
func New(config Config) *Model {
	m := new(Model)
	for _, a := range config.Apps {
		m.apps = append(m.apps, &app{
			App:      a,
			users:    &collection{name: "user", level: oracle.Shared},
			groups:   &collection{name: "group", level: oracle.Shared},
			groupIDs: map[string]bool{},

			regroupedAt: map[string]int{},
		})
	}
	return m
}

func (m *Model) appOf(key string) *app {
	for _, a := range m.apps {
		if a.Key == key {
			return a
		}
	}
	return nil
}

func (a *app) collection(name string) *collection {
	for _, c := range a.collections {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (c *collection) find(id string) *record {
	if c == nil {
		return nil
	}
	for _, r := range c.records {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (c *collection) remove(gone *record) {
	c.records = without(c.records, func(r *record) bool { return r == gone })
}

// without returns another list, of those that are not gone.
func without[T any](list []T, gone func(T) bool) []T {
	var left []T
	for _, v := range list {
		if !gone(v) {
			left = append(left, v)
		}
	}
	return left
}

// doc is the record as it is served and searched.
func (r *record) doc() Object {
	doc := Object{{"_id", r.id}}
	doc = append(doc, r.body...)
	return append(doc, Member{"_acl", r.aclText}, Member{"_kmd", Object{{"lmt", r.lmt}, {"ect", r.ect}}})
}

// A call is one request on its way through the model.
type call struct {
	m          *Model
	app        *app
	req        Request
	real       *Response // what the server answered, or nil
	parameters map[string]string
	query      url.Values
	version    int
	who        oracle.Who
	user       *record  // who.Role == User
	session    *session // nil for Basic
	groups     oracle.Groups
	complaints []string
}

// A route is one pattern and method, and which credentials may use it.
type route struct {
	pattern string // ":x" takes any segment; earlier routes win
	method  string
	allowed []oracle.Role // empty: no credentials needed
	answer  func(*call) Response
}

var (
	anybody       = []oracle.Role{oracle.App, oracle.User, oracle.Master}
	bootstrap     = []oracle.Role{oracle.App, oracle.Master}
	userOrMaster  = []oracle.Role{oracle.User, oracle.Master}
	userAlone     = []oracle.Role{oracle.User}
	masterAlone   = []oracle.Role{oracle.Master}
	noCredentials []oracle.Role
)

var routes = []route{
	{"appdata", "GET", noCredentials, (*call).ping},
	{"appdata/:kid", "GET", anybody, (*call).handshake},
	{"appdata/:kid/:coll", "GET", userOrMaster, (*call).listEntities},
	{"appdata/:kid/:coll", "POST", userOrMaster, (*call).createEntity},
	{"appdata/:kid/:coll", "DELETE", userOrMaster, (*call).deleteByQuery},
	{"appdata/:kid/:coll/_count", "GET", userOrMaster, (*call).countEntities},
	{"appdata/:kid/:coll/_group", "POST", userOrMaster, (*call).groupEntities},
	{"appdata/:kid/:coll/_deltaset", "GET", userOrMaster, (*call).deltaSet},
	{"appdata/:kid/:coll/:id", "GET", userOrMaster, (*call).getEntity},
	{"appdata/:kid/:coll/:id", "PUT", userOrMaster, (*call).putEntity},
	{"appdata/:kid/:coll/:id", "DELETE", userOrMaster, (*call).deleteEntity},

	{"user/:kid", "POST", bootstrap, (*call).signUp},
	{"user/:kid", "GET", userOrMaster, (*call).listUsers},
	{"user/:kid", "DELETE", masterAlone, (*call).deleteUsers},
	{"user/:kid/login", "POST", bootstrap, (*call).login},
	{"user/:kid/_logout", "POST", userAlone, (*call).logout},
	{"user/:kid/_me", "GET", userAlone, (*call).me},
	{"user/:kid/_count", "GET", userOrMaster, (*call).countUsers},
	{"user/:kid/_group", "POST", userOrMaster, (*call).groupUsers},
	{"user/:kid/_lookup", "POST", userOrMaster, (*call).lookup},
	{"user/:kid/:id", "GET", userOrMaster, (*call).getUser},
	{"user/:kid/:id", "PUT", userOrMaster, (*call).putUser},
	{"user/:kid/:id", "DELETE", userOrMaster, (*call).deleteUser},
	{"user/:kid/:id/_restore", "POST", masterAlone, (*call).restoreUser},
	{"user/:kid/:id/tokens", "DELETE", userOrMaster, (*call).endTokens},

	{"rpc/:kid/check-username-exists", "POST", anybody, (*call).usernameExists},
	{"rpc/:kid/:name/user-password-reset-initiate", "POST", anybody, (*call).resetPassword},

	{"group/:kid", "POST", userOrMaster, (*call).createGroup},
	{"group/:kid", "GET", masterAlone, (*call).listGroups},
	{"group/:kid/:id", "GET", userOrMaster, (*call).getGroup},
	{"group/:kid/:id", "PUT", userOrMaster, (*call).putGroup},
	{"group/:kid/:id", "DELETE", userOrMaster, (*call).deleteGroup},

	{"v4/environments/:kid/collections", "GET", masterAlone, (*call).listCollections},
	{"v4/environments/:kid/collections", "POST", masterAlone, (*call).postCollection},
	{"v4/environments/:kid/collections/:name", "GET", masterAlone, (*call).getCollection},
	{"v4/environments/:kid/collections/:name", "PUT", masterAlone, (*call).putCollection},
	{"v4/environments/:kid/collections/:name", "DELETE", masterAlone, (*call).deleteCollection},
}

// Do answers a request and changes the model accordingly. Real is what the
// server answered, from which the model takes what only the server can choose;
// when it is nil the model makes these things up itself.
func (m *Model) Do(req Request, real *Response) Response {
	c := &call{m: m, req: req, real: real}
	res := c.run()
	res.Complaints = c.complaints
	return res
}

// run makes the checks in their order: route, API version, app, credentials,
// whether these may use the route; the rest is the route's own.
func (c *call) run() Response {
	path, query, _ := strings.Cut(c.req.Path, "?")
	var err error
	if c.query, err = url.ParseQuery(query); err != nil {
		return refuse("BadRequest")
	}
	found, refusal := c.route(path)
	if refusal != nil {
		return *refusal
	}
	c.version = 3
	if v, ok := header(c.req.Header, "X-Kinvey-Api-Version"); ok {
		c.version, err = strconv.Atoi(v)
		if err != nil || c.version < 0 || c.version > 6 {
			return refuse("APIVersionNotImplemented")
		}
	}
	if len(found.allowed) == 0 {
		return found.answer(c)
	}
	if c.app = c.m.appOf(c.parameters["kid"]); c.app == nil {
		return refuse("AppNotFound")
	}
	if refusal := c.authenticate(); refusal != nil {
		return *refusal
	}
	for _, role := range found.allowed {
		if role == c.who.Role {
			c.groups = c.app.groupSet()
			res := found.answer(c)
			if strings.HasPrefix(found.pattern, "group/") {
				c.regrouped()
			}
			if c.req.Method == "GET" && c.parameters["coll"] != "" && res.Error == "" {
				c.began(&res)
			}
			return res
		}
	}
	return refuse("InsufficientCredentials")
}

func (c *call) route(path string) (route, *Response) {
	path = strings.TrimPrefix(strings.TrimSuffix(path, "/"), "/")
	segments := strings.Split(path, "/")
	for i := range segments {
		s, err := url.PathUnescape(segments[i])
		if err != nil || s == "" {
			r := refuse("EndpointDoesNotExist")
			return route{}, &r
		}
		segments[i] = s
	}
	pattern := ""
	for _, r := range routes {
		if pattern != "" && r.pattern != pattern {
			continue // another pattern has taken the path
		}
		parameters, ok := match(r.pattern, segments)
		if !ok {
			continue
		}
		if pattern = r.pattern; r.method == c.req.Method {
			c.parameters = parameters
			return r, nil
		}
	}
	name := "EndpointDoesNotExist"
	if pattern != "" {
		name = "MethodNotAllowed"
	}
	r := refuse(name)
	return route{}, &r
}

func match(pattern string, segments []string) (map[string]string, bool) {
	parts := strings.Split(pattern, "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	parameters := map[string]string{}
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parameters[name] = segments[i]
		} else if p != segments[i] {
			return nil, false
		}
	}
	return parameters, true
}

// may asks the oracle about a record of a collection, or about creating one.
func (c *call) may(right oracle.Right, in *collection, r *record) bool {
	level := oracle.Shared
	if in != nil {
		level = in.level
	}
	if r == nil {
		return oracle.May(c.who, level, c.groups, nil, right)
	}
	return oracle.May(c.who, level, c.groups, r.acl, right)
}

// answer is a response with a body; the body may be nil.
func answer(status int, body any) Response {
	return Response{Status: status, Body: body}
}

func refuse(name string) Response {
	status, ok := statuses[name]
	if !ok {
		panic(fmt.Sprintf("no status for %s", name))
	}
	return Response{Status: status, Error: name}
}

// statuses are the errors that the model knows.
var statuses = map[string]int{
	"BadRequest":                         400,
	"JSONParseError":                     400,
	"InvalidQuerySyntax":                 400,
	"DisallowedQuerySyntax":              400,
	"MissingQuery":                       400,
	"MissingRequestParameter":            400,
	"IncompleteRequestBody":              400,
	"InvalidIdentifier":                  400,
	"ParameterValueOutOfRange":           400,
	"FeatureUnavailable":                 400,
	"InvalidCredentials":                 401,
	"InsufficientCredentials":            401,
	"IndirectCollectionAccessDisallowed": 403,
	"MissingConfiguration":               403,
	"EntityNotFound":                     404,
	"CollectionNotFound":                 404,
	"AppNotFound":                        404,
	"UserNotFound":                       404,
	"EndpointDoesNotExist":               404,
	"MethodNotAllowed":                   405,
	"UserAlreadyExists":                  409,
	"KinveyInternalErrorRetry":           500,
	"APIVersionNotImplemented":           501,
}

func header(headers map[string]string, name string) (string, bool) {
	for k, v := range headers {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}
