package scim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// paths are all there are, and what each takes. HEAD goes where GET does.
var paths = map[string][]string{
	"/":                      {"GET"},
	"/Users":                 {"GET", "POST"},
	"/Groups":                {"GET", "POST"},
	"/Users/{ann}":           {"DELETE", "GET", "PATCH", "PUT"},
	"/Groups/{team}":         {"DELETE", "GET", "PATCH", "PUT"},
	"/Users/.search":         {"POST"},
	"/Groups/.search":        {"POST"},
	"/.search":               {"POST"},
	"/Bulk":                  {"POST"},
	"/Me":                    {"DELETE", "GET", "PATCH", "POST", "PUT"},
	"/ServiceProviderConfig": {"GET"},
	"/ResourceTypes":         {"GET"},
	"/ResourceTypes/User":    {"GET"},
	"/Schemas":               {"GET"},
	"/Schemas/urn:ietf:params:scim:schemas:core:2.0:User": {"GET"},
}

// Each path takes its methods and answers all others with 405, whatever stands in the body, and says what it takes.
func TestEveryMethodOfEveryPath(t *testing.T) {
	t.Parallel()
	for path, methods := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			at := strings.NewReplacer("{ann}", h.ann, "{team}", h.team).Replace(path)
			allow := slices.Clone(methods)
			if slices.Contains(methods, "GET") {
				allow = append(allow, "HEAD")
			}
			slices.Sort(allow)
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"} {
				if method == "DELETE" && slices.Contains(methods, method) && path != "/Me" {
					continue // the last one
				}
				r := h.send(method, at, "")
				switch {
				case !slices.Contains(allow, method):
					if r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != strings.Join(allow, ", ") {
						t.Errorf("%s: %d, Allow: %s; want 405, Allow: %s", method, r.status, r.header.Get("Allow"), strings.Join(allow, ", "))
					}
					if method != "HEAD" {
						isError(t, r)
					}
				case path == "/Me":
					if r.status != http.StatusNotImplemented {
						t.Errorf("%s: %d, want 501", method, r.status)
					}
				case method == "GET" || method == "HEAD":
					if r.status != http.StatusOK {
						t.Errorf("%s: %d, want 200", method, r.status)
					}
				case r.status != http.StatusBadRequest: // an empty body
					t.Errorf("%s: %d, want 400", method, r.status)
				}
			}
			if slices.Contains(methods, "DELETE") && path != "/Me" {
				h.send("DELETE", at, "").want(t, http.StatusNoContent)
				for _, method := range append(methods, "HEAD") {
					body := ""
					switch method {
					case "PUT":
						body = person("ann", "")
						if strings.HasPrefix(path, "/Groups") {
							body = group("Team")
						}
					case "PATCH":
						body = patchOf(`{"op":"remove","path":"externalId"}`)
					}
					h.send(method, at, body).want(t, http.StatusNotFound)
				}
			}
		})
	}
}

// HEAD answers as GET does, without the body.
func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for path, methods := range paths {
		if !slices.Contains(methods, "GET") {
			continue
		}
		at := strings.NewReplacer("{ann}", h.ann, "{team}", h.team).Replace(path)
		get, head := h.send("GET", at, ""), h.send("HEAD", at, "")
		if head.status != get.status || head.body != "" {
			t.Errorf("HEAD %s: %d with %q, GET has %d", path, head.status, head.body, get.status)
		}
		for _, name := range []string{"Content-Type", "Content-Length", "ETag", "Location"} {
			if head.header.Get(name) != get.header.Get(name) {
				t.Errorf("HEAD %s: %s: %q, GET has %q", path, name, head.header.Get(name), get.header.Get(name))
			}
		}
	}
}

// What is not there is 404 for every method, with an error of SCIM.
func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for _, path := range []string{
		"/Nothing", "/users", "/Users/" + h.ann + "/emails", "/Users/" + h.team, "/Groups/" + h.ann, "/Users/x", "/Users/00000000-0000-0000-0000-000000000000",
		"/ServiceProviderConfig/x", "/ServiceProviderConfigs", "/ResourceTypes/Shoe", "/ResourceTypes/User/x", "/Schemas/urn:x", "/Bulk/x", "/Me/x",
		"/.search/x", "/Users/.search/x", "/Users//" + h.ann, "//Users", "/Users/%2e%2e/Groups", "/Users/" + h.ann + "%2Fx", "/Users/" + h.ann + "%00",
	} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			r := h.send(method, path, "")
			if r.status != http.StatusNotFound && (method == "GET" || r.status != http.StatusMethodNotAllowed) {
				t.Errorf("%s %s: %d, want 404", method, path, r.status)
			}
			if method == "GET" {
				isError(t, r)
			}
		}
	}
	h.send("GET", "/Users/"+h.ann, "").want(t, http.StatusOK)
}

// Slashes, question marks and ampersands too many, and parameters that nobody knows, are passed over: OneLogin and
// Entra send them.
func TestWhatStandsInAddressesBesides(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	for _, path := range []string{
		"/Users/", "/Users?", "/Users?&", "/Users?aadOptscim062020", "/Users?aadOptscim062020=&x=y", "/Users/" + h.ann + "/", "/Users/" + h.ann + "?", "/Users/" + strings.ToUpper(h.ann),
		"/ServiceProviderConfig/", "/Schemas/?", "/ResourceTypes/User/",
	} {
		h.send("GET", path, "").want(t, http.StatusOK)
	}
}

// The version in the path is that of the protocol.
func TestOtherVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]int{"v1/Users": 400, "v1.1/Users": 400, "v3/Users": 404, "Users": 404, "": 404, "V2/Users": 404} {
		r := w.at(t, "GET", "/scim/acme/"+path, nil)
		if r.status != want || want == http.StatusBadRequest && r.text("scimType") != "invalidVers" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
		isError(t, r)
	}
}
