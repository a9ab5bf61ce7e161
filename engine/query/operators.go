package query

import "postern/engine/document"

// An operator is one row of the table: what a name that starts with '$' does
// in a filter. A nil function means that the name has no business there.
type operator struct {
	// onPath builds the node for an operator in the object behind a path.
	onPath func(p *parser, c clause) (node, error)

	// onFilter builds the node for an operator in the place of a path.
	onFilter func(p *parser, c clause) (node, error)

	// shape reads an operator inside of $geoWithin.
	shape func(p *parser, operand document.Value) (shape, error)

	// of lists the operators on a path that read this one beside them.
	of []string

	// disallowed marks what other servers run and this one never will.
	disallowed bool
}

// A clause is one use of an operator in a filter.
type clause struct {
	name    string         // of the operator
	path    path           // it applies to; nil in the place of a path
	operand document.Value // what it was given
	object  document.Value // that it stands in, for operators that come in pairs
}

var operators map[string]operator

func init() {
	operators = map[string]operator{
		"$eq":     {onPath: buildEqual},
		"$ne":     {onPath: opposite(buildEqual)},
		"$gt":     {onPath: ranged(side{above: true})},
		"$gte":    {onPath: ranged(side{above: true, included: true})},
		"$lt":     {onPath: ranged(side{})},
		"$lte":    {onPath: ranged(side{included: true})},
		"$in":     {onPath: buildIn},
		"$nin":    {onPath: opposite(buildIn)},
		"$exists": {onPath: buildExists},
		"$not":    {onPath: buildNot},

		"$all":       {onPath: buildAll},
		"$elemMatch": {onPath: buildElemMatch},
		"$size":      {onPath: buildSize},
		"$mod":       {onPath: buildMod},
		"$type":      {onPath: buildType},
		"$regex":     {onPath: buildRegex},
		"$options":   {of: []string{"$regex"}},

		"$near":         {onPath: buildNear},
		"$nearSphere":   {onPath: buildNear},
		"$maxDistance":  {of: []string{"$nearSphere", "$near"}},
		"$geoWithin":    {onPath: buildWithin},
		"$within":       {onPath: buildWithin},
		"$box":          {shape: boxOf},
		"$polygon":      {shape: ringOf},
		"$center":       {shape: circleOf},
		"$centerSphere": {shape: discOf},
		"$geometry":     {shape: regionsOf},

		"$and": {onFilter: buildAnd},
		"$or":  {onFilter: buildOr},
		"$nor": {onFilter: opposite(buildOr)},

		"$where":       {disallowed: true},
		"$function":    {disallowed: true},
		"$accumulator": {disallowed: true},
		"$expr":        {disallowed: true},
		"$jsonSchema":  {disallowed: true},
		"$text":        {disallowed: true},

		// What is stored are points; they do not intersect, they lie within.
		"$geoIntersects": {disallowed: true},
		"$rand":          {disallowed: true},
		"$sampleRate":    {disallowed: true},
	}
}

func buildEqual(p *parser, c clause) (node, error) {
	if err := p.literal(c.operand); err != nil {
		return nil, err
	}
	return &condition{path: c.path, test: &equal{c.operand.Kind(), c.operand}}, nil
}

func ranged(s side) func(*parser, clause) (node, error) {
	return func(p *parser, c clause) (node, error) {
		if err := p.literal(c.operand); err != nil {
			return nil, err
		}
		return &condition{path: c.path, test: &beyond{s, c.operand.Kind(), c.operand}}, nil
	}
}

func buildIn(p *parser, c clause) (node, error) {
	values, err := p.values(c)
	if err != nil {
		return nil, err
	}
	return &condition{path: c.path, test: newIn(values)}, nil
}

// values returns the operand of an operator that takes an array of values.
func (p *parser) values(c clause) ([]document.Value, error) {
	if c.operand.Kind() != document.Array {
		return nil, p.errorf(c.operand, "%s needs an array", c.name)
	}
	var values []document.Value
	for v := range c.operand.Elements() {
		if len(values) == maxValues {
			return nil, p.errorf(v, "%s has more than %d values", c.name, maxValues)
		}
		if err := p.literal(v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func buildExists(p *parser, c clause) (node, error) {
	wanted := false
	switch c.operand.Kind() {
	case document.Bool:
		wanted = c.operand.Bool()
	case document.Number:
		wanted = document.CompareNumbers(c.operand.Raw(), []byte("0")) != 0
	default:
		return nil, p.errorf(c.operand, "%s needs true or false", c.name)
	}
	if n := (&condition{path: c.path, test: present{}}); wanted {
		return n, nil
	} else {
		return not{n}, nil
	}
}

func buildAnd(p *parser, c clause) (node, error) {
	parts, err := p.filters(c)
	return all(parts), err
}

func buildOr(p *parser, c clause) (node, error) {
	p.scattered++
	defer func() { p.scattered-- }()
	parts, err := p.filters(c)
	return some(parts), err
}

func buildNot(p *parser, c clause) (node, error) {
	if !isOperators(c.operand) {
		return nil, p.errorf(c.operand, "$not needs an object of operators")
	}
	p.scattered++
	defer func() { p.scattered-- }()
	parts, err := p.operatorsOn(c.path, c.operand)
	return not{one(parts)}, err
}

// opposite makes an operator of its contrary.
func opposite(build func(*parser, clause) (node, error)) func(*parser, clause) (node, error) {
	return func(p *parser, c clause) (node, error) {
		n, err := build(p, c)
		return not{n}, err
	}
}
