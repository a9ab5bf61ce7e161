// Package query answers which documents a client asked for, in which order and
// with which members: the filter, sort, fields, skip and limit of a request.
//
// It works on the JSON text of the documents and is pure: it sees only what the
// caller hands it, and the caller hands it only what the subject may read. So a
// filter can neither reveal nor time what is hidden.
//
// # Filters
//
// A filter is a JSON object with MongoDB's meaning. Each member is a condition
// and all of them must hold. A name that starts with '$' is an operator on
// filters ($and, $or, $nor); any other name is a dotted path, and its value is either
// an object of operators ($gt, $in, ...) or a value to be equal to.
//
//	Q1  A path steps through the members of objects. Where it meets an array it
//	    goes on in every element that is an object, and, if the next step is a
//	    number, in the element of that index; a scalar element ends it.
//	Q2  Where a path ends at an array the condition looks at every element and
//	    at the array itself, and holds when it holds for one of them; an array
//	    that an index names is looked at as itself alone. Several
//	    operators on a path are independent: each may be met by another element.
//	Q3  Null and missing are one value: {"f":null} is met by both.
//	Q4  Numbers are equal by value, exactly (1, 1.0 and 1e0 are one number).
//	    Objects are equal when their members are, in the same order.
//	Q5  $gt, $gte, $lt and $lte are met only by values of the operand's kind.
//	Q6  $ne is the opposite of $eq, $nin of $in, for the path as a whole: an
//	    array that holds the value does not meet $ne.
//	Q7  $not is the opposite of the operators in it together. $all is met when
//	    each of its values equals one that the path leads to; of none it is met
//	    by nothing.
//	Q8  $size and $elemMatch look at the array that a path ends at, not at its
//	    elements. $elemMatch is met by one element that meets all of it:
//	    operators are for the element itself, a filter is for elements that are
//	    objects.
//	Q9  $mod cuts fractions off; what no 64-bit integer holds does not meet it.
//	    A whole number has the $type int (or long, where it is too large for 32
//	    bits), every other one double.
//	Q10 $regex finds a pattern in texts. It begins with '^', minds the case and
//	    has no look-around and no references, so that it takes linear time.
//	    $options may hold m, s and x.
//	Q11 A place is [longitude, latitude] or a GeoJSON point, in any field; an
//	    array may hold several. What is no place on earth meets no operator on
//	    places. $nearSphere (or $near) is met by places up to $maxDistance, in
//	    miles beside a pair of coordinates and in meters below a $geometry, and
//	    orders what has no sort by distance. It stands where all conditions must
//	    hold.
//	Q12 $geoWithin (or $within) is met by places in a shape or on its border:
//	    $box, $polygon and $center in the plane of the coordinates,
//	    $centerSphere (radius in radians) and $geometry (great circles, smaller
//	    than half of the earth) on the earth.
//	Q13 Names that start with '$' are nowhere data. An unknown operator, or one
//	    inside a value to be equal to, is an error and never matches silently.
//
// One table, operators, lists what a name that starts with '$' does. A new
// operator is a row there and a test or a node.
//
// # Order
//
// Values of different kinds are ordered null and missing, numbers, strings
// (by their bytes), objects, arrays, booleans. Objects compare member by
// member: by kind, then name, then value; arrays element by element; what ends
// first is less. Where the path of a sort key goes through an array it reaches
// several values, and where it ends at an array, that array's elements: ascending
// the least of them counts, descending the greatest. An empty array comes before
// all others; an element that the path cannot go through counts as null. Documents that are equal in all keys stay in their natural order,
// ascending or descending.
//
// # Keys
//
// An index keeps what a sort orders documents by as bytes that compare in the
// same way. Sort.AppendKey and Field.AppendKey make such keys:
//
//	K1  Values that are equal, and only they, have one key: 1.0 has that of 1,
//	    a missing member that of null. Numbers are exact at any size.
//	K2  No key of a field begins with another one of it. So the keys of several
//	    fields stand behind each other, and descending is the complement.
//	K3  The key of a document that is Plain, with no array on the way of a path
//	    or at its end, holds all that a condition on the path looks at, but
//	    whether a null is missing.
//
// Filter.Span and Filter.Equalities say which keys the documents that match can
// have, as an interval or one by one, and give the filter without the
// conditions that such keys decide. Filter.Spans gives several intervals where
// a condition names a few values. Filter.Pointed and Filter.Ranged say in which
// orders that is worth something.
//
// # Cost
//
// A filter is bounded when it is parsed, in depth, conditions, values, patterns
// and corners, so that a document costs no more than in proportion to its size.
// A Meter bounds the whole run. What it has no budget for is an error, never a
// short answer.
package query
