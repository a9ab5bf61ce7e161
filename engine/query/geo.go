package query

import (
	"math"
	"strconv"

	"postern/engine/document"
)

// The radius of the earth, with which distances on it become angles.
const (
	earthMeters = 6_378_100.0
	earthMiles  = earthMeters / 1609.344
)

// maxCorners bounds what one document costs in a filter with polygons.
const maxCorners = 1000

// A point is a place on the earth, or in the plane of its coordinates, in
// degrees.
type point struct{ lng, lat float64 }

func (p point) exists() bool {
	return -180 <= p.lng && p.lng <= 180 && -90 <= p.lat && p.lat <= 90
}

// readPoint reads [longitude, latitude].
func readPoint(v document.Value) (p point, ok bool) {
	if v.Kind() != document.Array {
		return p, false
	}
	c := v.Walk()
	lng, _ := c.Element()
	lat, _ := c.Element()
	if _, more := c.Element(); more || lng.Kind() != document.Number || lat.Kind() != document.Number {
		return p, false
	}
	return point{float(lng), float(lat)}, true
}

// float returns the nearest float of a number, an infinity for a very large one.
func float(v document.Value) float64 {
	f, _ := strconv.ParseFloat(string(v.Raw()), 64)
	return f
}

// pointOf returns the place that a stored value is: a pair of coordinates or a
// GeoJSON point.
func pointOf(v document.Value) (p point, ok bool) {
	if v.Kind() == document.Object && v.Get("type").TextIs("Point") {
		v = v.Get("coordinates")
	}
	p, ok = readPoint(v)
	return p, ok && p.exists()
}

// angle returns the distance of two places on the earth, in radians.
func angle(a, b point) float64 {
	const degree = math.Pi / 180
	north := math.Sin((b.lat - a.lat) * degree / 2)
	east := math.Sin((b.lng - a.lng) * degree / 2)
	return 2 * math.Asin(min(1, math.Sqrt(north*north+math.Cos(a.lat*degree)*math.Cos(b.lat*degree)*east*east)))
}

// near is the test of a place that is not farther from another than radians.
type near struct {
	center  point
	radians float64
}

func (t *near) holds(v document.Value, _ *Meter) bool {
	p, ok := pointOf(v)
	return ok && angle(p, t.center) <= t.radians
}

// A byDistance is the order that a filter with $nearSphere asks for.
type byDistance struct {
	path   path
	center point
}

// of returns the distance of a document, in radians: of its nearest place.
func (o *byDistance) of(doc document.Value, scratch *nearest) float64 {
	*scratch = nearest{o.center, math.Inf(1)}
	o.path.reach(doc, scratch, true, nil)
	return scratch.radians
}

// A nearest is asked about every value that a path reaches and keeps the least
// distance. It holds for none, so that the search goes on.
type nearest struct {
	center  point
	radians float64
}

func (t *nearest) holds(v document.Value, _ *Meter) bool {
	if p, ok := pointOf(v); ok {
		t.radians = min(t.radians, angle(p, t.center))
	}
	return false
}

// buildNear takes [longitude, latitude] with $maxDistance beside it in miles,
// or a GeoJSON point with $maxDistance below it in meters.
func buildNear(p *parser, c clause) (node, error) {
	if p.scattered > 0 {
		return nil, p.errorf(c.operand, "%s orders the result, so it cannot stand in an operator other than $and", c.name)
	}
	if p.order != nil {
		return nil, p.errorf(c.operand, "a query has one %s", c.name)
	}
	center, most, radius := c.operand, c.object.Get("$maxDistance"), earthMiles
	if c.operand.Kind() == document.Object {
		for key := range c.operand.Members() {
			if !key.TextIs("$geometry") && !key.TextIs("$maxDistance") {
				return nil, p.errorf(key, "unknown operator %.40q in %s", key.Text(), c.name)
			}
		}
		if most.Kind() != document.Missing {
			return nil, p.errorf(most, "$maxDistance belongs beside $geometry")
		}
		geometry := c.operand.Get("$geometry")
		if !geometry.Get("type").TextIs("Point") {
			return nil, p.errorf(c.operand, "%s needs a $geometry of type Point", c.name)
		}
		center, most, radius = geometry.Get("coordinates"), c.operand.Get("$maxDistance"), earthMeters
	}
	at, err := p.point(center)
	if err != nil {
		return nil, err
	}
	t := &near{at, math.Inf(1)}
	if most.Kind() != document.Missing {
		distance, err := p.distance(most)
		if err != nil {
			return nil, err
		}
		t.radians = distance / radius
	}
	p.order = &byDistance{c.path, at}
	return &condition{path: c.path, test: t}, nil
}

// inside is the test of a place that lies in a shape. Its border belongs to it.
type inside struct{ shape shape }

func (t *inside) holds(v document.Value, m *Meter) bool {
	p, ok := pointOf(v)
	return ok && m.spend(t.shape.corners()) && t.shape.contains(p)
}

// A shape is a part of the earth.
type shape interface {
	contains(point) bool
	corners() int // what contains costs
}

func buildWithin(p *parser, c clause) (node, error) {
	for key, operand := range c.operand.Members() {
		row, known := operators[key.Text()]
		if row.shape == nil {
			if known {
				return nil, p.errorf(key, "%s is no shape", key.Text())
			}
			return nil, p.errorf(key, "unknown operator %.40q", key.Text())
		}
		if c.operand.Len() > 1 {
			return nil, p.errorf(c.operand, "%s needs one shape", c.name)
		}
		s, err := row.shape(p, operand)
		return &condition{path: c.path, test: &inside{s}}, err
	}
	return nil, p.errorf(c.operand, "%s needs an object with a shape", c.name)
}

// A box lies between its lower left and its upper right corner.
type box struct{ from, to point }

func (b box) corners() int { return 2 }

func (b box) contains(p point) bool {
	return b.from.lng <= p.lng && p.lng <= b.to.lng && b.from.lat <= p.lat && p.lat <= b.to.lat
}

func boxOf(p *parser, v document.Value) (shape, error) {
	corners, err := p.points(v)
	if err == nil && len(corners) != 2 {
		err = p.errorf(v, "$box needs two opposite corners")
	}
	if err != nil {
		return nil, err
	}
	a, b := corners[0], corners[1] // clients may name any two that are opposite
	return box{point{min(a.lng, b.lng), min(a.lat, b.lat)}, point{max(a.lng, b.lng), max(a.lat, b.lat)}}, nil
}

// A circle in the plane of the coordinates; the radius is in degrees.
type circle struct {
	center point
	radius float64
}

func (c circle) corners() int { return 1 }

func (c circle) contains(p point) bool {
	return math.Hypot(p.lng-c.center.lng, p.lat-c.center.lat) <= c.radius
}

func circleOf(p *parser, v document.Value) (shape, error) {
	center, radius, err := p.round("$center", v)
	return circle{center, radius}, err
}

// A disc on the earth; the radius is in radians.
type disc struct {
	center  point
	radians float64
}

func (d disc) corners() int { return 1 }

func (d disc) contains(p point) bool { return angle(p, d.center) <= d.radians }

func discOf(p *parser, v document.Value) (shape, error) {
	center, radians, err := p.round("$centerSphere", v)
	return disc{center, radians}, err
}

// A ring is a polygon in a plane. The last corner is joined to the first.
type ring []point

func (r ring) corners() int { return len(r) }

func (r ring) contains(p point) bool {
	in := false
	for i, b := range r {
		a := r[(i+len(r)-1)%len(r)]
		if onLine(a, b, p) {
			return true
		}
		if (a.lat > p.lat) != (b.lat > p.lat) && p.lng < (b.lng-a.lng)*(p.lat-a.lat)/(b.lat-a.lat)+a.lng {
			in = !in
		}
	}
	return in
}

// onLine reports whether p lies on the line from a to b.
func onLine(a, b, p point) bool {
	const nothing = 1e-12
	return math.Abs((b.lng-a.lng)*(p.lat-a.lat)-(b.lat-a.lat)*(p.lng-a.lng)) <= nothing &&
		min(a.lng, b.lng) <= p.lng && p.lng <= max(a.lng, b.lng) &&
		min(a.lat, b.lat) <= p.lat && p.lat <= max(a.lat, b.lat)
}

func ringOf(p *parser, v document.Value) (shape, error) {
	corners, err := p.points(v)
	if err == nil && len(corners) < 3 {
		err = p.errorf(v, "$polygon needs three corners")
	}
	return ring(corners), err
}

// A region is a polygon on the earth with holes in it. Its sides are parts of
// great circles. Seen from the center of the earth and painted on a plane that
// touches it, they are straight lines, so a region is kept as rings on the
// plane that touches the middle of its corners.
type region struct {
	plane plane
	outer ring
	holes []ring
}

func (r *region) corners() int {
	n := len(r.outer)
	for _, h := range r.holes {
		n += len(h)
	}
	return n
}

func (r *region) contains(p point) bool {
	at, ok := r.plane.paint(p)
	if !ok || !r.outer.contains(at) {
		return false
	}
	for _, h := range r.holes {
		if h.contains(at) {
			return false
		}
	}
	return true
}

// regions is a union.
type regions []*region

func (rs regions) corners() int {
	n := 0
	for _, r := range rs {
		n += r.corners()
	}
	return n
}

func (rs regions) contains(p point) bool {
	for _, r := range rs {
		if r.contains(p) {
			return true
		}
	}
	return false
}

func regionsOf(p *parser, v document.Value) (shape, error) {
	kind, coordinates := v.Get("type"), v.Get("coordinates")
	var list regions
	switch {
	case kind.TextIs("Polygon"):
		r, err := p.region(coordinates)
		return regions{r}, err
	case kind.TextIs("MultiPolygon") && coordinates.Kind() == document.Array:
		for polygon := range coordinates.Elements() {
			r, err := p.region(polygon)
			if err != nil {
				return nil, err
			}
			list = append(list, r)
		}
		return list, nil
	}
	return nil, p.errorf(v, "$geometry needs the type Polygon or MultiPolygon, and coordinates")
}

// region reads the rings of a GeoJSON polygon.
func (p *parser) region(v document.Value) (*region, error) {
	var painted []ring
	var r region
	for element := range v.Elements() {
		corners, err := p.points(element)
		if err != nil {
			return nil, err
		}
		if len(corners) < 4 || corners[0] != corners[len(corners)-1] {
			return nil, p.errorf(element, "a polygon needs rings of four positions at least, the last one equal to the first")
		}
		if painted == nil {
			r.plane = planeAt(corners[1:])
		}
		var on ring
		for _, corner := range corners[1:] {
			at, ok := r.plane.paint(corner)
			if !ok {
				return nil, p.errorf(element, "a polygon must be smaller than half of the earth")
			}
			on = append(on, at)
		}
		painted = append(painted, on)
	}
	if painted == nil {
		return nil, p.errorf(v, "a polygon needs an array of rings")
	}
	r.outer, r.holes = painted[0], painted[1:]
	return &r, nil
}

type vector [3]float64

func (a vector) dot(b vector) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func (a vector) cross(b vector) vector {
	return vector{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func (a vector) unit() vector {
	n := math.Sqrt(a.dot(a))
	return vector{a[0] / n, a[1] / n, a[2] / n}
}

// toward returns the direction of a place from the center of the earth.
func toward(p point) vector {
	const degree = math.Pi / 180
	flat := math.Cos(p.lat * degree)
	return vector{flat * math.Cos(p.lng*degree), flat * math.Sin(p.lng*degree), math.Sin(p.lat * degree)}
}

// A plane touches the earth where up points to.
type plane struct{ up, east, north vector }

// planeAt returns the plane that touches the earth in the middle of the places.
func planeAt(points []point) plane {
	var sum vector
	for _, p := range points {
		for i, x := range toward(p) {
			sum[i] += x
		}
	}
	up := sum.unit()
	// Any axis that up is not close to serves to lay out the plane.
	axis := vector{0, 0, 1}
	if math.Abs(up[2]) > 0.9 {
		axis = vector{1, 0, 0}
	}
	east := axis.cross(up).unit()
	return plane{up, east, up.cross(east)}
}

// paint returns where a place comes to lie on the plane; ok is false for the
// half of the earth that is turned away from it, and close to that.
func (a plane) paint(p point) (at point, ok bool) {
	v := toward(p)
	height := v.dot(a.up)
	if !(height > 0.01) { // nor when the plane is none, as the places have no middle
		return point{}, false
	}
	return point{v.dot(a.east) / height, v.dot(a.north) / height}, true
}

// place reads the coordinates of a query.
func (p *parser) point(v document.Value) (point, error) {
	at, ok := readPoint(v)
	if !ok {
		return at, p.errorf(v, "coordinates must be [longitude, latitude]")
	}
	if !at.exists() {
		err := p.errorf(v, "the longitude must be between -180 and 180, the latitude between -90 and 90")
		err.OutOfRange = true
		return at, err
	}
	return at, nil
}

func (p *parser) points(v document.Value) ([]point, error) {
	if v.Kind() != document.Array {
		return nil, p.errorf(v, "needs an array of coordinates")
	}
	var list []point
	for element := range v.Elements() {
		if p.corners++; p.corners > maxCorners {
			return nil, p.errorf(element, "more than %d corners", maxCorners)
		}
		at, err := p.point(element)
		if err != nil {
			return nil, err
		}
		list = append(list, at)
	}
	return list, nil
}

// distance reads a number that is not negative.
func (p *parser) distance(v document.Value) (float64, error) {
	d := float(v)
	if v.Kind() != document.Number || d < 0 {
		return 0, p.errorf(v, "a distance must be a number from 0")
	}
	return d, nil
}

// round reads [center, radius].
func (p *parser) round(name string, v document.Value) (center point, radius float64, err error) {
	if v.Kind() != document.Array || v.Len() != 2 {
		return center, 0, p.errorf(v, "%s needs a center and a radius", name)
	}
	c := v.Walk()
	first, _ := c.Element()
	second, _ := c.Element()
	if center, err = p.point(first); err != nil {
		return center, 0, err
	}
	radius, err = p.distance(second)
	return center, radius, err
}
