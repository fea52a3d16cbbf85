// Package javaregex matches java.util.regex patterns against UTF-8 bytes.
//
// A pattern is parsed by Java's rules into a syntax tree in which flags, classes
// and escapes are resolved to sets of code points. The tree is then written out
// for one of two engines:
//
//   - package regexp, whose time grows linearly with the input, wherever the
//     pattern means exactly the same there;
//   - package regexp2, a backtracking engine, for the rest: look-around,
//     back-references, atomic groups and possessive quantifiers, loops over
//     bodies that can be empty. It runs under a time limit and fails with an
//     error that wraps [ErrTimeout] instead of hanging.
//
// A pattern that neither engine can run with Java's meaning is refused by
// [Compile], with the construct and its column.
//
// Some patterns are linear for most inputs only: those with \b go to the
// backtracking engine when the input is not ASCII (Java's \b knows the letters of
// all scripts), those with line anchors (?m) when the input has a line
// terminator other than an inner \n, and those with $ in their middle when the
// input ends in a line terminator. [Regexp.Linear] is false for them.
//
// Refused constructs: \X, \b{g}, \N{name}, the flag (?c), \p{javaMirrored},
// case-insensitive back-references, back-references and atomic groups inside
// look-behind, capturing groups inside look-behind and negative look-around,
// capturing groups inside look-ahead or an atomic group that are optional
// there, look-behind without a greatest length (JDK 17 lets some pass), \G in a
// pattern that can match empty text, && without a right operand or with a single
// & behind it. What Java itself rejects is rejected too.
//
// The reference is JDK 17. Unicode properties follow Go's Unicode tables, which
// are newer; they differ from the JDK's for code points assigned since Unicode 13.
//
// # Input that is not valid UTF-8
//
// Ill-formed bytes match as the U+FFFD characters that Java's UTF-8 decoder would
// put in their place, one for each ill-formed sequence. All offsets are byte
// offsets into the original input.
package javaregex
