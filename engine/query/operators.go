package query

import "postern/engine/document"

// An operator is one row of the table: what a name that starts with '$' does
// in a filter. A nil function means that the name has no business there.
type operator struct {
	// onPath builds the node for an operator in the object behind a path.
	onPath func(p *parser, c clause) (node, error)

	// onFilter builds the node for an operator in the place of a path.
	onFilter func(p *parser, c clause) (node, error)

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

		"$and": {onFilter: buildAnd},
		"$or":  {onFilter: buildOr},

		"$where":       {disallowed: true},
		"$function":    {disallowed: true},
		"$accumulator": {disallowed: true},
		"$expr":        {disallowed: true},
		"$jsonSchema":  {disallowed: true},
		"$text":        {disallowed: true},
		"$rand":        {disallowed: true},
		"$sampleRate":  {disallowed: true},
	}
}

func buildEqual(p *parser, c clause) (node, error) {
	if err := p.literal(c.operand); err != nil {
		return nil, err
	}
	return &condition{c.path, &equal{c.operand.Kind(), c.operand}}, nil
}

func ranged(s side) func(*parser, clause) (node, error) {
	return func(p *parser, c clause) (node, error) {
		if err := p.literal(c.operand); err != nil {
			return nil, err
		}
		return &condition{c.path, &within{s, c.operand.Kind(), c.operand}}, nil
	}
}

func buildIn(p *parser, c clause) (node, error) {
	if c.operand.Kind() != document.Array {
		return nil, p.errorf(c.operand, "%s needs an array", c.name)
	}
	var values []document.Value
	for v := range c.operand.Elements() {
		if len(values) == maxInValues {
			return nil, p.errorf(v, "%s has more than %d values", c.name, maxInValues)
		}
		if err := p.literal(v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return &condition{c.path, newIn(values)}, nil
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
	if n := (&condition{c.path, present{}}); wanted {
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
	parts, err := p.filters(c)
	return some(parts), err
}

// opposite makes an operator of its contrary.
func opposite(build func(*parser, clause) (node, error)) func(*parser, clause) (node, error) {
	return func(p *parser, c clause) (node, error) {
		n, err := build(p, c)
		return not{n}, err
	}
}
