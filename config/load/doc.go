// Package load turns configuration sources into one set of properties, each
// with the place it came from.
//
//	sources ─▶ text ─▶ property.Read ─▶ merge ─▶ substitute ─▶ trim ─▶ Result
//	files, file:, classpath:, http(s):, ZooKeeper
//
// A Loader is made from Options, which mirror the command line. Load reads
// everything once, Poll again if something changed, and Watch keeps polling.
// The sources are merged in a fixed order: the files of -f, then the URIs of -u,
// each in command-line order; a later definition of a key replaces an earlier
// one. (Apache Flume drops all -f when there is a -u.) ZooKeeper, where given,
// comes alone, as in Flume, and its text is taken as it is: no substitution.
//
// Substitution follows Flume 1.11, with one improvement: ${key} finds any key,
// wherever it stands, not only those that hash order happened to resolve before.
// Config filter references, ${f1['key']}, are left for package filter.
//
// Nothing found wrong is lost: Result.Problems has it with file, line and
// remedy. A reload that fails, or has errors, leaves it to the caller to go on
// with what is running.
package load
