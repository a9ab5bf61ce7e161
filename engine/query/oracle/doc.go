// Package oracle is the query language once more, as simply as it can be said.
//
// It answers the same question as engine/query (which documents does a filter
// mean, and in which order?) and shares nothing with it: it was written from
// what MongoDB and Kinvey publish, by somebody who had not read the other one.
// Where the two differ, one of them is wrong. It parses into maps and slices of
// its own, walks everything from end to end and allocates as it likes.
//
// The rules, each with the word by which the code refers to it:
//
//	reach    A dotted path steps through members. At an array it goes on in
//	         every element that is an object, and, for a number, in the element
//	         of that index; other elements are passed over and count as
//	         nothing, not as missing. A path that runs into a scalar or off an
//	         object before it met an array reaches "missing".
//	leaf     A condition on a path that ends at an array looks at each element
//	         and at the array itself, and holds if it holds for one of them.
//	         $exists, $size and $elemMatch look at the array alone.
//	null     Equality with null is met by null and by missing; so are $gte and
//	         $lte null. $type null is met by null alone.
//	bracket  $gt, $gte, $lt, $lte are met by values of the operand's type only.
//	negation $ne, $nin, $not and $nor are the opposite for the whole document.
//	order    null and missing, numbers, strings (by bytes), objects, arrays,
//	         booleans. Objects compare member by member: type, name, value.
//	keys     A sort key that reaches several values, or an array, counts as its
//	         least value ascending and its greatest one descending; an empty
//	         array is below null.
//	geo      Points are [longitude, latitude] in degrees or GeoJSON points;
//	         distances are on the sphere, in miles for $maxDistance beside a
//	         pair, in meters beside a $geometry, in radians for $centerSphere.
//	         $box, $polygon and $center are flat, $geometry is on the sphere.
//	types    A whole number has the type int when 32 bits hold it, else long;
//	         every other number is a double.
//
// Limits on the size of a query are not the oracle's business. Only tests and
// engine/model import this package.
package oracle
