package auth

import (
	"encoding/json"
	"time"

	"github.com/moatnet/moat/sdn"
)

// The parts of Keystone's v3 API that are used: Identity API v3, "Password
// authentication with scoped authorization", "Validate and show information for
// token", "List projects".

// named is how Keystone speaks of users, projects, domains and roles.
type named struct {
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	Domain *named `json:"domain,omitempty"`
}

// tokenWish is the body of POST /auth/tokens.
type tokenWish struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User struct {
					named
					Password string `json:"password"`
				} `json:"user"`
			} `json:"password"`
		} `json:"identity"`
		Scope *scope `json:"scope,omitempty"` // nil: the user's default project
	} `json:"auth"`
}

type scope struct {
	Project named `json:"project"`
}

func newWish(user, password, project, domain string) tokenWish {
	var w tokenWish
	w.Auth.Identity.Methods = []string{"password"}
	w.Auth.Identity.Password.User.named = named{Name: user, Domain: &named{ID: domain}}
	w.Auth.Identity.Password.User.Password = password
	if project != "" {
		w.Auth.Scope = &scope{Project: named{Name: project, Domain: &named{ID: domain}}}
	}
	return w
}

// shownToken is what Keystone says of a token. One without a project is good
// for nothing here.
type shownToken struct {
	Expires time.Time `json:"expires_at"`
	User    named     `json:"user"`
	Project named     `json:"project"`
	Roles   []named   `json:"roles"`
}

// readToken reads the body of an answer about a token.
func readToken(body []byte) (shownToken, bool) {
	var answer struct {
		Token shownToken `json:"token"`
	}
	err := json.Unmarshal(body, &answer)
	return answer.Token, err == nil && !answer.Token.Expires.IsZero() && answer.Token.User.ID != ""
}

// projectPage is one page of GET /projects.
type projectPage struct {
	Projects []struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Enabled     bool   `json:"enabled"`
		IsDomain    bool   `json:"is_domain"`
	} `json:"projects"`
	Links struct {
		Next string `json:"next"` // "" or null: this is the last page
	} `json:"links"`
}

func (o KeystoneOptions) tenant(id, name string) sdn.TenantID {
	if o.TenantByName {
		return sdn.TenantID(name)
	}
	return sdn.TenantID(id)
}
