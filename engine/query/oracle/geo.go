package oracle

import (
	"encoding/json"
	"math"
	"strings"
)

// The radius of the Earth, at the equator.
const (
	earthMeters = 6378100
	earthMiles  = earthMeters / 1609.344
)

// A point is a place on the sphere, in degrees.
type point struct{ lon, lat float64 }

// A near is what results are ordered by the distance from.
type near struct {
	path []string
	from point
}

// far is how far a document is away: the nearest of its points counts.
func (n *near) far(doc Object) float64 {
	least := math.Inf(1)
	someIn(func(p point) bool {
		least = min(least, distance(p, n.from))
		return false
	})(reach(doc, n.path))
	return least
}

// pointOf is a value in a document as a point: [longitude, latitude] or a
// GeoJSON point.
func pointOf(v any) (point, bool) {
	if o, ok := v.(Object); ok && o.get("type") == "Point" {
		v = o.get("coordinates")
	}
	p, err := pair(v)
	return p, err == nil
}

// pair is a point in a filter. ErrRange says that it is none on Earth.
func pair(v any) (point, error) {
	list, ok := numbersOf(v)
	if !ok || len(list) != 2 {
		return point{}, ErrSyntax
	}
	if math.Abs(list[0]) > 180 || math.Abs(list[1]) > 90 {
		return point{}, ErrRange
	}
	return point{list[0], list[1]}, nil
}

func numbersOf(v any) ([]float64, bool) {
	list, ok := v.([]any)
	var numbers []float64
	for _, e := range list {
		n, ok := floatOf(e)
		if !ok {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, ok
}

func floatOf(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// A vector is a point of the unit sphere in space.
type vector [3]float64

func (p point) vector() vector {
	lon, lat := p.lon*math.Pi/180, p.lat*math.Pi/180
	return vector{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
}

func dot(a, b vector) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func cross(a, b vector) vector {
	return vector{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// distance is the angle between two points, in radians. The form with atan2 is
// good for small angles and for large ones.
func distance(p, q point) float64 {
	a, b := p.vector(), q.vector()
	c := cross(a, b)
	return math.Atan2(math.Sqrt(dot(c, c)), dot(a, b))
}

// someIn is met by a path that ends at a point for which test holds, or at an
// array of points with one of them.
func someIn(test func(p point) bool) condition {
	return some(func(v any) bool {
		p, ok := pointOf(v)
		return ok && test(p)
	})
}

// nearPoint is $near and $nearSphere: points not farther than $maxDistance.
// It stands beside a pair of coordinates and is in miles, or in the operand
// beside a GeoJSON point and is in meters.
func (p *parser) nearPoint(path string, op Member, beside Object) (condition, error) {
	place, radius := op.Value, earthMiles
	if o, ok := place.(Object); ok {
		geometry, _ := o.get("$geometry").(Object)
		if geometry.get("type") != "Point" {
			return nil, ErrSyntax
		}
		for _, m := range o {
			if m.Name != "$geometry" && m.Name != "$maxDistance" {
				return nil, ErrSyntax
			}
		}
		place, radius, beside = geometry.get("coordinates"), earthMeters, o
	}
	from, err := pair(place)
	if err != nil {
		return nil, err
	}
	if !p.nearAllowed || p.near != nil {
		return nil, ErrSyntax
	}
	p.near = &near{strings.Split(path, "."), from}
	most := math.Inf(1)
	if operand := beside.get("$maxDistance"); operand != (missing{}) {
		var ok bool
		if most, ok = floatOf(operand); !ok || most < 0 {
			return nil, ErrSyntax
		}
	}
	return someIn(func(q point) bool { return distance(from, q)*radius <= most }), nil
}

// within is $within and $geoWithin: one shape that the point lies in. $box,
// $polygon and $center are flat, $centerSphere and $geometry on the sphere.
func within(operand any) (condition, error) {
	o, _ := operand.(Object)
	if len(o) != 1 {
		return nil, ErrSyntax
	}
	switch shape := o[0]; shape.Name {
	case "$box":
		return box(shape.Value)
	case "$polygon":
		corners, err := pairs(shape.Value, 3)
		if err != nil {
			return nil, err
		}
		return someIn(func(p point) bool { return inPolygon(p, corners) }), nil
	case "$center", "$centerSphere":
		return circle(shape)
	case "$geometry":
		return geometry(shape.Value)
	}
	return nil, ErrSyntax
}

// pairs is a list of at least so many points in a filter.
func pairs(v any, least int) ([]point, error) {
	list, ok := v.([]any)
	if !ok || len(list) < least {
		return nil, ErrSyntax
	}
	var points []point
	for _, e := range list {
		p, err := pair(e)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

func box(operand any) (condition, error) {
	corners, err := pairs(operand, 2)
	if err != nil {
		return nil, err
	}
	if len(corners) != 2 {
		return nil, ErrSyntax
	}
	a, b := corners[0], corners[1]
	return someIn(func(p point) bool {
		return min(a.lon, b.lon) <= p.lon && p.lon <= max(a.lon, b.lon) &&
			min(a.lat, b.lat) <= p.lat && p.lat <= max(a.lat, b.lat)
	}), nil
}

func circle(shape Member) (condition, error) {
	list, _ := shape.Value.([]any)
	if len(list) != 2 {
		return nil, ErrSyntax
	}
	center, err := pair(list[0])
	if err != nil {
		return nil, err
	}
	radius, ok := floatOf(list[1])
	if !ok || radius < 0 {
		return nil, ErrSyntax
	}
	return someIn(func(p point) bool {
		if shape.Name == "$center" {
			return math.Hypot(p.lon-center.lon, p.lat-center.lat) <= radius
		}
		return distance(p, center) <= radius
	}), nil
}

// inPolygon says whether a ray from p to the east crosses the border an odd
// number of times. The last corner is joined to the first.
func inPolygon(p point, corners []point) bool {
	inside := false
	for i, a := range corners {
		b := corners[(i+1)%len(corners)]
		if (a.lat > p.lat) == (b.lat > p.lat) {
			continue
		}
		if p.lon < a.lon+(p.lat-a.lat)*(b.lon-a.lon)/(b.lat-a.lat) {
			inside = !inside
		}
	}
	return inside
}

// geometry is a GeoJSON Polygon or MultiPolygon: rings that end where they
// begin, the first of them the border, the others holes.
func geometry(operand any) (condition, error) {
	o, _ := operand.(Object)
	coordinates, _ := o.get("coordinates").([]any)
	var polygons []any
	switch o.get("type") {
	case "Polygon":
		polygons = []any{coordinates}
	case "MultiPolygon":
		polygons = coordinates
	}
	if len(polygons) == 0 || len(coordinates) == 0 || len(o) != 2 {
		return nil, ErrSyntax
	}
	var parsed [][][]point
	for _, polygon := range polygons {
		list, _ := polygon.([]any)
		var rings [][]point
		for _, r := range list {
			ring, err := pairs(r, 4)
			if err != nil {
				return nil, err
			}
			if ring[0] != ring[len(ring)-1] {
				return nil, ErrSyntax
			}
			rings = append(rings, ring[:len(ring)-1])
		}
		if len(rings) == 0 {
			return nil, ErrSyntax
		}
		parsed = append(parsed, rings)
	}
	return someIn(func(p point) bool {
		for _, rings := range parsed {
			in := inRing(p, rings[0])
			for _, hole := range rings[1:] {
				in = in && !inRing(p, hole)
			}
			if in {
				return true
			}
		}
		return false
	}), nil
}

// inRing says whether p lies in the ring, whose sides are parts of great
// circles and which covers less than half of the sphere: going round it, the
// direction in which p sees the corners turns once.
func inRing(p point, ring []point) bool {
	at := p.vector()
	var middle vector
	turn := 0.0
	for i, c := range ring {
		a, b := c.vector(), ring[(i+1)%len(ring)].vector()
		for k := range middle {
			middle[k] += a[k]
		}
		// The angle at p between the great circles to a and to b.
		x, y := cross(at, a), cross(at, b)
		turn += math.Atan2(dot(at, cross(x, y)), dot(x, y))
	}
	return math.Abs(turn) > math.Pi && dot(at, middle) > 0
}
