package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// insertAtOnce is how many entities one request brings in.
const insertAtOnce = 100

// A Loaded is how a data set got into its collection.
type Loaded struct {
	Kind     string  `json:"kind"`
	Entities int     `json:"entities"`
	Bytes    int64   `json:"bytes"`  // of JSON as it is served
	Grants   int64   `json:"grants"` // who may read: principals, summed over the entities
	Seconds  float64 `json:"seconds"`
}

// load makes the accounts, the groups and the collection of a data set over
// HTTP, as the master. There is one connection, so that the entities are created
// in the order of their numbers.
func load(s *server, d *dataset, people []*person) (*Loaded, error) {
	c := newClient(s.address, basic(masterSecret))
	defer c.close()
	if err := s.engine.SetLevel(appKey, string(d.kind), d.kind.level()); err != nil {
		return nil, err
	}
	for _, p := range people {
		if err := admit(s, d, p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	names := d.names()
	if d.kind != shared {
		if err := loadGroups(c, d, names); err != nil {
			return nil, err
		}
	}
	l := &Loaded{Kind: string(d.kind), Entities: d.n}
	began := time.Now()
	bodies, free, quit := make(chan []byte, 4), make(chan []byte, 8), make(chan struct{})
	defer close(quit)
	go func() {
		defer close(bodies)
		for from := 0; from < d.n; from += insertAtOnce {
			var b []byte
			select {
			case b = <-free:
			default:
			}
			b = l.batch(d, names, b[:0], from)
			select {
			case bodies <- b:
			case <-quit:
				return
			}
		}
	}()
	c.headers = "X-Kinvey-Api-Version: 5\r\n" // for arrays
	for b := range bodies {
		status, answer, err := c.do("POST", "/appdata/"+appKey+"/"+string(d.kind), b)
		if err != nil || status != 201 {
			return nil, fmt.Errorf("loading: status %d %.200s %w", status, answer, err)
		}
		select {
		case free <- b:
		default:
		}
	}
	l.Seconds = time.Since(began).Seconds()
	return l, nil
}

// batch is the body of one insert.
func (l *Loaded) batch(d *dataset, names []string, b []byte, from int) []byte {
	var e item
	b = append(b, '[')
	for i := from; i < min(from+insertAtOnce, d.n); i++ {
		if i > from {
			b = append(b, ',')
		}
		d.at(i, &e)
		before := len(b)
		b = d.append(b, names, i, &e)
		l.Bytes += int64(len(b) - before)
		l.Grants += int64(e.grants())
	}
	return append(b, ']')
}

// admit makes the account of a user, with his id, and logs him in.
func admit(s *server, d *dataset, p *person) error {
	if p.user == master {
		p.authorization = basic(masterSecret)
		return nil
	}
	c := newClient(s.address, basic(masterSecret))
	defer c.close()
	c.headers = "X-Kinvey-Master-Create-User: true\r\n"
	status, body, err := c.do("POST", "/user/"+appKey, fmt.Appendf(nil, `{"_id":%q,"username":%q,"password":%q}`, d.userID(p.user), p.name, p.name))
	if err != nil || status != 201 {
		return fmt.Errorf("creating: status %d %s %w", status, body, err)
	}
	in := newClient(s.address, basic(appSecret))
	defer in.close()
	status, body, err = in.do("POST", "/user/"+appKey+"/login", fmt.Appendf(nil, `{"username":%q,"password":%q}`, p.name, p.name))
	if err != nil || status != 200 {
		return fmt.Errorf("logging in: status %d %s %w", status, body, err)
	}
	var u struct {
		ID  string `json:"_id"`
		KMD struct {
			Token string `json:"authtoken"`
		} `json:"_kmd"`
	}
	if err := json.Unmarshal(body, &u); err != nil {
		return err
	}
	if u.ID != d.userID(p.user) || u.KMD.Token == "" {
		return errors.New("the account is another one")
	}
	p.authorization = "Kinvey " + u.KMD.Token
	return nil
}

// loadGroups makes all groups with all their members.
func loadGroups(c *client, d *dataset, names []string) error {
	members := make([][]int, d.groups)
	for u := range d.users {
		for _, g := range d.memberships(u) {
			members[g] = append(members[g], u)
		}
	}
	for g, in := range members {
		b := []byte(`{"users":{"list":[`)
		for k, u := range in {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"_type":"KinveyRef","_collection":"user","_id":"`...)
			b = append(append(b, names[u]...), `"}`...)
		}
		status, body, err := c.do("PUT", "/group/"+appKey+"/"+groupID(g), append(b, `]}}`...))
		if err != nil || status != 201 {
			return fmt.Errorf("group %d: status %d %s %w", g, status, body, err)
		}
	}
	return nil
}
