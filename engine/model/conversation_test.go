package model

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestConversation goes through the checklist of what clients rely on, so that
// the model is held against the requirements and not only against itself. A
// row is who asks, what, and what must be in the answer; $x stands for what
// was remembered as x; what begins with "at" is when the answer was begun.
func TestConversation(t *testing.T) {
	m := New(Config{Apps: testApps})
	remembered := map[string]string{}
	expand := func(s string) string {
		for name, value := range remembered {
			s = strings.ReplaceAll(s, "$"+name, value)
		}
		return s
	}
	basic := func(name, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+secret))
	}
	auth := map[string]string{
		"none":   "",
		"app":    basic("kid_one", testApps[0].Secret),
		"master": basic("kid_one", testApps[0].MasterSecret),
		"other":  basic("kid_two", testApps[1].MasterSecret),
		"wrong":  basic("kid_one", "x"),
		"annpw":  basic("ann", "a"),
	}
	for i, row := range []struct{ who, version, request, want, remember string }{
		{"app", "3", `POST /user/kid_one {"username":"ann","password":"a","_acl":{"creator":"x","gr":false}}`, `201 "password":"a" "username":"ann" "gr":false`, "ann"},
		{"app", "6", `POST /user/kid_one {"username":"bob","password":"b"}`, `201 "_acl":{"creator":"$bob"}`, "bob"},
		{"app", "3", `POST /user/kid_one {"username":"ann"}`, `409 UserAlreadyExists`, ""},
		{"app", "3", `POST /user/kid_one/login {"username":"bob","password":"b"}`, `200 "authtoken" "llt"`, "bob"},
		{"app", "3", `POST /user/kid_one/login {"username":"bob","password":"x"}`, `401 InvalidCredentials`, ""},
		{"app", "3", `POST /user/kid_one/login {}`, `400 IncompleteRequestBody`, ""},
		{"none", "3", `GET /appdata/kid_one/c`, `401 InvalidCredentials`, ""},
		{"wrong", "3", `GET /appdata/kid_one/c`, `401 InvalidCredentials`, ""},
		{"other", "3", `GET /appdata/kid_one/c`, `401 InvalidCredentials`, ""},
		{"app", "3", `GET /appdata/kid_one/c`, `401 InsufficientCredentials`, ""},
		{"ann", "9", `GET /appdata/kid_one/c`, `501 APIVersionNotImplemented`, ""},
		{"ann", "0", `GET /appdata/kid_one/c`, `400 FeatureUnavailable`, ""},
		{"ann", "3", `GET /appdata/kid_two/c`, `401 InvalidCredentials`, ""},
		{"ann", "3", `GET /appdata/kid_3/c`, `404 AppNotFound`, ""},
		{"ann", "3", `GET /appdata/kid_one/c/?_=1`, `200 []`, ""},
		{"ann", "3", `GET /appdata/kid_one/c/_count`, `200 {"count":0}`, ""},
		{"ann", "3", `GET /appdata/kid_one/c/x`, `404 EntityNotFound`, ""},
		{"ann", "3", `GET /appdata/kid_one/user`, `403 IndirectCollectionAccessDisallowed`, ""},
		{"ann", "3", `POST /appdata/kid_one/c {"_id":null,"_acl":null,"_kmd":null,"n":1}`, `201 "_acl":{"creator":"$ann"}`, "e"},
		{"bob", "3", `GET /appdata/kid_one/c/$e`, `200 "n":1`, ""},
		{"bob", "3", `PUT /appdata/kid_one/c/$e {"n":2}`, `401 InsufficientCredentials`, ""},
		{"bob", "3", `DELETE /appdata/kid_one/c/$e`, `401 InsufficientCredentials`, ""},
		{"bob", "5", `POST /appdata/kid_one/c {"_id":"$e"}`, `500 KinveyInternalErrorRetry`, ""},
		{"bob", "3", `POST /appdata/kid_one/c {"_id":"$e"}`, `401 InsufficientCredentials`, ""},
		{"ann", "3", `PUT /appdata/kid_one/c/$e {"_acl":{"gr":false,"w":["$bob"]},"n":3}`, `200 "gr":false "creator":"$ann"`, ""},
		{"bob", "3", `GET /appdata/kid_one/c/$e`, `401 InsufficientCredentials`, ""},
		{"bob", "3", `GET /appdata/kid_one/c`, `200 []`, ""},
		{"bob", "3", `GET /appdata/kid_one/c/_count?query={}`, `200 {"count":0}`, ""},
		{"bob", "3", `PUT /appdata/kid_one/c/$e {"_acl":{"gr":true},"n":4}`, `200 "_acl":{"creator":"$ann"} "n":4`, ""},
		{"ann", "3", `GET /appdata/kid_one/c/$e`, `200 "gr":false "n":4`, ""},
		{"bob", "3", `DELETE /appdata/kid_one/c?query={}`, `200 {"count":0}`, ""},
		{"bob", "3", `DELETE /appdata/kid_one/c`, `400 MissingQuery`, ""},
		{"bob", "3", `DELETE /appdata/kid_one/c/$e`, `200 {"count":1}`, ""},
		{"bob", "3", `PUT /group/kid_one/g {"users":{"list":["$bob"]}}`, `201 "_id":"g"`, ""},
		{"ann", "3", `PUT /group/kid_one/g {"users":{"all":true}}`, `401 InsufficientCredentials`, ""},
		{"ann", "3", `GET /group/kid_one/g`, `200 "_id":"g"`, ""},
		{"ann", "3", `GET /group/kid_one`, `401 InsufficientCredentials`, ""},
		{"master", "3", `GET /group/kid_one/`, `200 [{`, ""},
		{"master", "3", `PUT /v4/environments/kid_one/collections/p {"permissions":"private"}`, `200 "permissions":"append-only"`, ""},
		{"ann", "3", `PUT /appdata/kid_one/p/a%2Fb {"_acl":{"groups":{"r":["outer"]}}}`, `201 "_id":"a/b"`, ""},
		{"bob", "3", `GET /appdata/kid_one/p/a%2Fb`, `401 InsufficientCredentials`, ""},
		{"bob", "3", `PUT /group/kid_one/outer {"groups":["g"]}`, `401 InsufficientCredentials`, ""},
		{"master", "3", `PUT /group/kid_one/outer {"groups":["g","outer"]}`, `201`, ""},
		{"bob", "3", `GET /appdata/kid_one/p/a%2Fb`, `200 "_id":"a/b"`, ""},
		{"bob", "3", `DELETE /group/kid_one/g`, `200 {"count":1}`, ""},
		{"bob", "3", `GET /appdata/kid_one/p/a%2Fb`, `401 InsufficientCredentials`, ""},
		{"bob", "3", `PUT /group/kid_one/g {}`, `401 InsufficientCredentials`, ""},
		{"bob", "3", `POST /user/kid_one/_lookup {"username":"ann"}`, `200 [{"_id":"$ann","username":"ann"}]`, ""},
		{"bob", "3", `POST /user/kid_one/_lookup {"n":1}`, `400 InvalidQuerySyntax`, ""},
		{"bob", "3", `GET /user/kid_one/$ann`, `401 InsufficientCredentials`, ""},
		{"ann", "3", `PUT /user/kid_one/$ann {"_acl":{"gw":true},"n":1}`, `200 "authtoken" "username":"ann"`, ""},
		{"bob", "3", `PUT /user/kid_one/$ann {"username":"eve","m":2}`, `200 "username":"ann" "m":2`, ""},
		{"bob", "3", `PUT /user/kid_one/$ann {"password":"eve"}`, `401 InsufficientCredentials`, ""},
		{"annpw", "3", `GET /user/kid_one/_me`, `200 "username":"ann"`, ""},
		{"annpw", "3", `POST /user/kid_one/_logout`, `204`, ""},
		{"ann", "3", `PUT /user/kid_one/$ann {"password":"a2"}`, `200 "m":2`, "ann2"},
		{"ann", "3", `GET /user/kid_one/_me`, `401 InvalidCredentials`, ""},
		{"ann2", "3", `GET /user/kid_one/_me`, `200 "authtoken"`, ""},
		{"ann2", "6", `GET /user/kid_one/_me`, `200 "username"`, ""},
		{"ann2", "3", `POST /user/kid_one/_logout`, `204`, ""},
		{"ann2", "3", `GET /user/kid_one/_me`, `401 InvalidCredentials`, ""},
		{"app", "3", `POST /user/kid_one/_logout`, `401 InsufficientCredentials`, ""},
		{"master", "3", `DELETE /user/kid_one/$ann`, `204`, ""},
		{"bob", "3", `GET /user/kid_one/$ann`, `404 UserNotFound`, ""},
		{"master", "3", `GET /user/kid_one/$ann`, `200 "status"`, ""},
		{"bob", "3", `POST /user/kid_one/$ann/_restore`, `401 InsufficientCredentials`, ""},
		{"master", "3", `POST /user/kid_one/nobody/_restore`, `404 UserNotFound`, ""},
		{"master", "3", `POST /user/kid_one/$ann/_restore`, `204`, ""},
		{"ann2", "3", `GET /user/kid_one/_me`, `401 InvalidCredentials`, ""},
		{"app", "3", `POST /user/kid_one/login {"username":"ann","password":"a2"}`, `200 "authtoken"`, "ann3"},
		{"bob", "3", `DELETE /user/kid_one/$ann/tokens`, `401 InsufficientCredentials`, ""},
		{"ann3", "3", `DELETE /user/kid_one/$ann/tokens`, `204`, ""},
		{"ann3", "3", `GET /user/kid_one/_me`, `401 InvalidCredentials`, ""},
		{"app", "3", `POST /rpc/kid_one/check-username-exists {"username":"ann"}`, `200 {"usernameExists":true}`, ""},
		{"master", "3", `DELETE /user/kid_one/$ann?hard=true`, `204`, ""},
		{"app", "3", `POST /rpc/kid_one/check-username-exists {"username":"ann"}`, `200 {"usernameExists":false}`, ""},
		{"master", "3", `POST /appdata/kid_one/c {"_acl":{"creator":"$bob"}}`, `201 "creator":"$bob"`, ""},
		{"master", "3", `POST /appdata/kid_one/c {}`, `201 "creator":"kid_one"`, ""},
		{"bob", "3", `POST /appdata/kid_one/g {"n":1,"_acl":{"gr":false}}`, `201`, ""},
		{"bob", "3", `POST /appdata/kid_one/g {"n":1.0,"m":2}`, `201`, ""},
		{"master", "3", `POST /appdata/kid_one/g {"n":5,"_acl":{"gr":false}}`, `201`, ""},
		{"bob", "3", `POST /appdata/kid_one/g/_group {"key":{"n":true},"initial":{"count":0},"reduce":"function(doc,out) { out.count++; }"}`, `200 [{"count":2,"n":1}]`, ""},
		{"bob", "3", `POST /appdata/kid_one/g/_group {"key":["m"],"condition":{"n":{"$gte":1}}}`, `200 [{"m":null},{"m":2}]`, ""},
		{"bob", "3", `POST /appdata/kid_one/g/_group {"initial":{"sum":0},"reduce":"function(doc,out) { out.sum += doc.m; }"}`, `200 [{"sum":null}]`, ""},
		{"bob", "3", `POST /appdata/kid_one/g/_group {"reduce":"function(doc,out) { out.me = this; }"}`, `403 MissingConfiguration`, ""},
		{"bob", "3", `POST /appdata/kid_one/none/_group {}`, `200 []`, ""},
		{"bob", "3", `POST /user/kid_one/_group {"key":{"username":true}}`, `200 [{"username":"bob"}]`, ""},
		{"master", "3", `PUT /appdata/kid_one/r/t {"n":7,"_acl":{"gr":false},"up":{"_type":"KinveyRef","_collection":"user","_id":"$bob"}}`, `201`, ""},
		{"bob", "3", `PUT /appdata/kid_one/r/a {"x":{"_type":"KinveyRef","_collection":"r","_id":"t","_obj":{"n":8}}}`, `201 "x":{"_collection":"r","_id":"t","_type":"KinveyRef"}`, ""},
		{"bob", "3", `GET /appdata/kid_one/r/a?resolve=x`, `200 "x":{"_collection":"r","_id":"t","_type":"KinveyRef"}`, ""},
		{"master", "3", `GET /appdata/kid_one/r/a?resolve=x`, `200 "n":7 "_obj":{"_acl" "up":{"_collection":"user","_id":"$bob","_type":"KinveyRef"}`, ""},
		{"master", "3", `GET /appdata/kid_one/r/a?resolve_depth=2&retainReferences=false`, `200 "n":7 "username":"bob"`, ""},
		{"master", "3", `GET /appdata/kid_one/r/a?resolve_depth=11`, `400 ParameterValueOutOfRange`, ""},
		{"bob", "3", `GET /appdata/kid_one/d`, `200 []`, "atfirst"},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$atfirst`, `403 MissingConfiguration`, ""},
		{"master", "3", `PUT /v4/environments/kid_one/collections/d {"deltaSet":{"enabled":true}}`, `200 "deltaSet":{"deletedTTLInDays":15,"enabled":true}`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset`, `400 MissingRequestParameter`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=now`, `400 ParameterValueOutOfRange`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$atfirst`, `400 ParameterValueOutOfRange`, ""},
		{"master", "3", `PUT /appdata/kid_one/d/old {}`, `201`, ""},
		{"master", "3", `PUT /appdata/kid_one/d/other {"n":1}`, `201`, ""},
		{"bob", "3", `GET /appdata/kid_one/d`, `200 "old"`, "athen"},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$athen`, `200 {"changed":[],"deleted":[]}`, ""},
		{"bob", "3", `PUT /appdata/kid_one/d/new {"n":2}`, `201`, ""},
		{"master", "3", `PUT /appdata/kid_one/d/old {"_acl":{"gr":false}}`, `200`, ""},
		{"master", "3", `PUT /appdata/kid_one/d/hidden {"_acl":{"gr":false}}`, `201`, ""},
		{"master", "3", `DELETE /appdata/kid_one/d/hidden`, `200`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$athen`, `200 {"changed":[{"_acl":{"creator":"$bob"},"_id":"new", "n":2}],"deleted":[{"_id":"old"}]}`, ""},
		{"master", "3", `PUT /appdata/kid_one/d/other {"n":2}`, `200`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$athen&query={"n":1}`, `200 {"changed":[],"deleted":[{"_id":"other"},{"_id":"old"}]}`, ""},
		{"bob", "3", `PUT /group/kid_one/d {"users":{"list":["nobody"]}}`, `201`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$athen`, `200 "changed"`, ""},
		{"bob", "3", `PUT /group/kid_one/d {"users":{"list":["$bob"]}}`, `200`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$athen`, `400 ParameterValueOutOfRange`, ""},
		{"bob", "3", `GET /appdata/kid_one/d`, `200 "new"`, "atlast"},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$atlast`, `200 {"changed":[],"deleted":[]}`, ""},
		{"master", "3", `PUT /v4/environments/kid_one/collections/d {"permissions":"full"}`, `200 "deltaSet":{"deletedTTLInDays":15,"enabled":true}`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$atlast`, `400 ParameterValueOutOfRange`, ""},
		{"master", "3", `PUT /v4/environments/kid_one/collections/d {"deltaSet":{"enabled":false}}`, `200 "permissions":"write"`, ""},
		{"bob", "3", `GET /appdata/kid_one/d/_deltaset?since=$atlast`, `403 MissingConfiguration`, ""},
		{"master", "3", `PUT /v4/environments/kid_one/collections/c {"permissions":"read"}`, `200 "permissions":"read-only"`, ""},
		{"bob", "3", `POST /appdata/kid_one/c {}`, `401 InsufficientCredentials`, ""},
		{"master", "3", `DELETE /v4/environments/kid_one/collections/c`, `204`, ""},
		{"master", "3", `DELETE /v4/environments/kid_one/collections/c`, `404 CollectionNotFound`, ""},
		{"bob", "3", `POST /appdata/kid_one/c {}`, `201`, ""},
		{"bob", "3", `POST /appdata/kid_one/c/x {}`, `405 MethodNotAllowed`, ""},
		{"bob", "3", `POST /nothing`, `404 EndpointDoesNotExist`, ""},
		{"app", "3", `GET /appdata/kid_one`, `200 "kinvey":"hello One"`, ""},
		{"none", "3", `GET /appdata`, `200 "kinvey":"hello"`, ""},
	} {
		parts := append(strings.SplitN(row.request, " ", 3), "")
		header := map[string]string{"X-Kinvey-API-Version": row.version}
		if a, ok := auth[row.who]; ok {
			header["Authorization"] = a
		} else {
			header["Authorization"] = "Kinvey " + remembered[row.who+"-token"]
		}
		req := Request{Method: parts[0], Path: expand(parts[1]), Header: header, Body: []byte(expand(parts[2]))}
		res := m.Do(req, nil)
		if row.remember != "" && strings.HasPrefix(row.remember, "at") {
			remembered[row.remember] = res.Header["X-Kinvey-Request-Start"]
		} else if row.remember != "" {
			body := res.Body.(map[string]any)
			remembered[row.remember], _ = body["_id"].(string)
			if kmd := body["_kmd"].(map[string]any); kmd["authtoken"] != nil {
				remembered[row.remember+"-token"], _ = kmd["authtoken"].(string)
			}
		}
		got := strings.TrimSuffix(res.String(), " null")
		for _, want := range strings.Fields(expand(row.want)) {
			if !strings.Contains(got, want) {
				t.Errorf("row %d, %s: %s\n got %s\nwant %s", i, row.who, row.request, got, expand(row.want))
				break
			}
		}
	}
}
