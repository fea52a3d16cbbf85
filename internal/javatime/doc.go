// Package javatime formats and parses times by the patterns of
// java.text.SimpleDateFormat and of Joda-Time's DateTimeFormat, and resolves Java
// time zone ids.
//
// Texts are those of Locale.US. Weeks follow the same locale for
// SimpleDateFormat (they start on Sunday, and the week with 1 January is the
// first) and ISO 8601 for Joda-Time. All dates are in the Gregorian calendar;
// Java's change to the Julian one before October 1582 is not made.
//
// The abbreviations of time zones come from the zone database; their long names
// are known for the common zones of America, Europe and Asia, and are "GMT+03:00"
// and the like for others.
//
// Zones are found with time.LoadLocation: a program that must run without a zone
// database on disk imports time/tzdata.
package javatime
