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
// filters ($and, $or); any other name is a dotted path, and its value is either
// an object of operators ($gt, $in, ...) or a value to be equal to.
//
//	Q1  A path steps through the members of objects. Where it meets an array it
//	    goes on in every element that is an object, and, if the next step is a
//	    number, in the element of that index; a scalar element ends it.
//	Q2  Where a path ends at an array the condition looks at every element and
//	    at the array itself, and holds when it holds for one of them. Several
//	    operators on a path are independent: each may be met by another element.
//	Q3  Null and missing are one value: {"f":null} is met by both.
//	Q4  Numbers are equal by value, exactly (1, 1.0 and 1e0 are one number).
//	    Objects are equal when their members are, in the same order.
//	Q5  $gt, $gte, $lt and $lte are met only by values of the operand's kind.
//	Q6  $ne is the opposite of $eq, $nin of $in, for the path as a whole: an
//	    array that holds the value does not meet $ne.
//	Q7  Names that start with '$' are nowhere data. An unknown operator, or one
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
// several values: ascending the least of them counts, descending the greatest.
// A path that ends at an array is ordered by that array as a whole. Documents
// that are equal in all keys stay in their natural order, ascending or
// descending.
package query
