package engine

import (
	"errors"
	"fmt"

	"postern/acl"
	"postern/auth"
	"postern/engine/document"
	"postern/engine/query"
	"postern/engine/script"
	"postern/engine/store"
)

// A kind is one row of the error table. Handlers return kinds (or a *Fault that
// wraps one with a debug text); everything else is turned into one by kindOf.
type kind uint8

const (
	errInternal kind = iota // the zero kind: what the table does not know
	errBadRequest
	errJSON
	errQuerySyntax
	errDisallowedQuery
	errMissingQuery
	errMissingParameter
	errIncompleteBody
	errIdentifier
	errOutOfRange
	errFeature
	errCORS
	errMissingHeader
	errCustomEndpoint
	errResultSize
	errScript
	errCredentials
	errInsufficient
	errIndirect
	errConfiguration
	errEntityNotFound
	errCollectionNotFound
	errAppNotFound
	errUserNotFound
	errEndpoint
	errMethod
	errUserExists
	errDuplicate
	errVersion
	errTooLarge
	errURITooLong
	errTooManyRequests
	errUnavailable
	errNoSpace
	errTimeout
	errHeaders
	errLockedDown
	errUnverified
	errCode
	errTwoFactor
	errForbidden
	kindCount
)

// row is what a kind looks like on the wire.
type row struct {
	status      int
	name        string
	description string
}

// The error table: the only place where a failure becomes a status, a name and
// a sentence. The two 401s must never be mixed up: on InvalidCredentials a
// client drops its session and its offline data, so it means "not
// authenticated" and nothing else.
var errorTable = [kindCount]row{
	errInternal:           {500, "KinveyInternalErrorStop", "The Kinvey server encountered an unexpected error. Please contact support@kinvey.com for assistance."},
	errBadRequest:         {400, "BadRequest", "Unable to understand request."},
	errJSON:               {400, "JSONParseError", "Unable to parse the JSON in the request."},
	errQuerySyntax:        {400, "InvalidQuerySyntax", "The query string in the request has an invalid syntax."},
	errDisallowedQuery:    {400, "DisallowedQuerySyntax", "The query string in the request contains disallowed syntax."},
	errMissingQuery:       {400, "MissingQuery", "The request is missing a query string."},
	errMissingParameter:   {400, "MissingRequestParameter", "A required parameter is missing from the request."},
	errIncompleteBody:     {400, "IncompleteRequestBody", "The request body is either missing or incomplete."},
	errIdentifier:         {400, "InvalidIdentifier", "One of more identifier names in the request has an invalid format."},
	errOutOfRange:         {400, "ParameterValueOutOfRange", "The value specified for one of the request parameters is out of range."},
	errFeature:            {400, "FeatureUnavailable", "Requested functionality is unavailable in this API version."},
	errCORS:               {400, "CORSDisabled", "Cross Origin Support is disabled for this application."},
	errMissingHeader:      {400, "MissingRequestHeader", "The request is missing a required header."},
	errResultSize:         {400, "ResultSetSizeExceeded", "Your query produced more than 10,000 results. Please rewrite your query to be more selective."},
	errScript:             {400, "BLRuntimeError", "The Business Logic script did not complete."},
	errCredentials:        {401, "InvalidCredentials", "Invalid credentials. Please retry your request with correct credentials."},
	errInsufficient:       {401, "InsufficientCredentials", "The credentials used to authenticate this request are not authorized to run this operation. Please retry your request with appropriate credentials."},
	errLockedDown:         {401, "UserLockedDown", "This user has been locked down. Please contact the owner of the app."},
	errCode:               {401, "CodeRequired", "The password is right. A code of the operator's authenticator is needed as well."},
	errTwoFactor:          {401, "InvalidTwoFactorAuth", "The password is right. A code of the operator's authenticator is needed as well."},
	errForbidden:          {403, "InsufficientCredentials", "This console session is not authorized to run this operation."},
	errUnverified:         {403, "EmailVerificationRequired", "The e-mail address of this user must be confirmed before he can log in."},
	errIndirect:           {403, "IndirectCollectionAccessDisallowed", "Please use the appropriate API to access this collection for this app backend."},
	errConfiguration:      {403, "MissingConfiguration", "This feature is not properly configured for this app backend. Please configure it through the console first, or contact support for more information."},
	errEntityNotFound:     {404, "EntityNotFound", "This entity not found in the collection."},
	errCollectionNotFound: {404, "CollectionNotFound", "This collection not found for this app backend."},
	errAppNotFound:        {404, "AppNotFound", "This app backend not found."},
	errUserNotFound:       {404, "UserNotFound", "This user does not exist for this app backend."},
	errEndpoint:           {404, "EndpointDoesNotExist", "The endpoint you tried to access does not exist."},
	errCustomEndpoint:     {404, "EndpointDoesNotExist", "The custom endpoint you tried to access does not exist. Please configure custom Business Logic endpoints through the Kinvey Console."},
	errMethod:             {405, "MethodNotAllowed", "The method is not allowed for this resource."},
	errUserExists:         {409, "UserAlreadyExists", "This username is already taken. Please retry your request with a different username."},
	errDuplicate:          {500, "KinveyInternalErrorRetry", "The Kinvey server encountered an unexpected error. Please retry your request."},
	errVersion:            {501, "APIVersionNotImplemented", "This API version is not implemented."},
	errTooLarge:           {413, "BadRequest", "The request body is too large."},
	errURITooLong:         {414, "BadRequest", "The request line is too long."},
	errTimeout:            {408, "BadRequest", "The request took too long to arrive."},
	errHeaders:            {431, "BadRequest", "The request headers are too large."},
	errTooManyRequests:    {429, "KinveyInternalErrorRetry", "The Kinvey server is busy. Please retry your request."},
	errUnavailable:        {503, "KinveyInternalErrorRetry", "The Kinvey server is not available. Please retry your request."},
	errNoSpace:            {507, "KinveyInternalErrorRetry", "The Kinvey server has no space left to store this. Please retry your request later."},
}

// Error makes a kind usable as an error of its own.
func (k kind) Error() string { return errorTable[k].name }

// A Fault is a kind with the text that the client sees as debug and, for
// limits, the seconds after which a retry makes sense.
type Fault struct {
	kind       kind
	debug      string
	retryAfter int // seconds, 0 = no header
}

func (f *Fault) Error() string { return errorTable[f.kind].name + ": " + f.debug }

// Status returns the HTTP status that the fault is answered with.
func (f *Fault) Status() int { return errorTable[f.kind].status }

// Unwrap lets errors.Is find the kind.
func (f *Fault) Unwrap() error { return f.kind }

// fault makes a Fault of a kind with a debug text.
func fault(k kind, format string, args ...any) *Fault {
	return &Fault{kind: k, debug: fmt.Sprintf(format, args...)}
}

// slow makes the Fault of a limit that says when to try again.
func slow(k kind, seconds int) *Fault {
	return &Fault{kind: k, retryAfter: max(seconds, 1), debug: "please wait before the next attempt"}
}

// faultOf maps any error to a row of the table. What it does not know becomes
// errInternal, which shows nothing to the client.
func faultOf(err error) *Fault {
	var (
		f       *Fault
		k       kind
		syntax  *document.SyntaxError
		rule    *document.RuleError
		q       *query.Error
		aclErr  *acl.ParseError
		corrupt *store.CorruptError
		limit   *query.LimitError
		reduce  *query.ReduceError
		failed  *script.Error
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &k):
		return &Fault{kind: k}
	case errors.As(err, &syntax):
		return fault(errJSON, "%s", syntax.Error())
	case errors.As(err, &rule):
		return fault(ruleKind(rule), "%s", rule.Error())
	case errors.As(err, &q):
		return fault(queryKind(q), "%s", q.Msg)
	case errors.As(err, &limit):
		return fault(errResultSize, "%s", limit.Msg)
	case errors.As(err, &reduce):
		return fault(errScript, "%s", reduce.Msg)
	case errors.As(err, &failed):
		return fault(errScript, "%s", failed.Msg)
	case errors.As(err, &aclErr):
		if aclErr.TooMany {
			return fault(errTooLarge, "%s", aclErr.Error())
		}
		return fault(errOutOfRange, "%s", aclErr.Error())
	case errors.Is(err, auth.ErrBusy), errors.Is(err, script.ErrBusy):
		return slow(errTooManyRequests, 1)
	case errors.Is(err, auth.ErrMalformed):
		return &Fault{kind: errCredentials}
	case errors.Is(err, store.ErrNoSpace):
		return slow(errNoSpace, 30)
	case errors.Is(err, store.ErrTooBig):
		return fault(errTooLarge, "the record would be too large to store")
	case errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrFailed), errors.Is(err, errStopped):
		return slow(errUnavailable, 5)
	case errors.As(err, &corrupt):
		return &Fault{kind: errInternal}
	}
	return &Fault{kind: errInternal}
}

// queryKind has no name of its own for a query that is too expensive: clients
// know the one that says to ask for less.
func queryKind(q *query.Error) kind {
	switch {
	case q.Disallowed:
		return errDisallowedQuery
	case q.OutOfRange:
		return errOutOfRange
	case q.TooExpensive:
		return errResultSize
	}
	return errQuerySyntax
}

// ruleKind keeps the two ways apart in which JSON can break our rules: names
// that cannot be stored are values out of range, the rest is JSON we do not
// take (duplicate keys, depth, width).
func ruleKind(r *document.RuleError) kind {
	if r.Unstorable {
		return errOutOfRange
	}
	return errJSON
}
