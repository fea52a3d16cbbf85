import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.Locale;
import java.util.Random;
import java.util.TimeZone;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.DateTimeFormatter;

/**
 * Writes oracle.tsv: what java.text.SimpleDateFormat and Joda-Time 2.9.9 make of patterns and texts. Columns: kind (S or J), f or p
 * (format or parse), pattern, zone, and for f milliseconds and text, for p text and milliseconds. "!" is an error. Run with JDK 17:
 * java -cp joda-time-2.9.9.jar Oracle.java > oracle.tsv
 */
public class Oracle {
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    static final Random RND = new Random(42);
    static final String[] ZONES = {"UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "America/Los_Angeles"};

    static final String[] SIMPLE = {
        "yyyy-MM-dd HH:mm:ss,SSS", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "yyyy-MM-dd'T'HH:mm:ssXXX", "EEE MMM dd HH:mm:ss z yyyy", "dd/MMM/yyyy:HH:mm:ss Z", "yyyyMMddHHmmss", "yyyyMMdd", "yyMMdd", "yy/M/d h:mm a",
        "MMM d HH:mm:ss", "EEEE, d MMMM yyyy K:mm a", "yyyy-DDD", "YYYY-'W'ww-u", "kk:mm", "D", "G yyyy", "''yy''", "hh 'o''clock' a", "HH:mm:ss.SSS", "X", "XX", "XXX", "Z", "LLL yyyy", "y-M-d H:m:s.S", "yyyyy", "u E", "w ww YY", "dd.MM.yy", "ss", "SSSSSS", "yyyy", "MMMM", "a", "HHmm", "E, dd MMM yyyy HH:mm:ss zzz",
    };
    static final String[] FORMAT_ONLY = {"W F", "zzzz", "WW FF", "EEEEE MMMMM", "YYYY-ww"};
    static final String[] JODA = {
        "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "yyyy-MM-dd'T'HH:mm:ssZZ", "dd/MMM/yyyy:HH:mm:ss Z", "yyyyMMddHHmmss", "yyyyMMdd", "yyMMdd", "yy/M/d h:mm a", "MMM d HH:mm:ss", "EEEE, d MMMM yyyy K:mm a", "yyyy-DDD", "xxxx-'W'ww-e", "kk:mm", "D", "YYYY G", "''yy''",
        "hh 'o''clock' a", "HH:mm:ss.SSS", "SSSSSS", "s.S", "yyyy", "MMMM", "a", "HHmm", "E MMM dd yyyy", "yyyy-MM-dd HH:mm ZZZ", "yyyy-MM-dd HH:mm z", "xx ww", "YY-MM", "H", "e", "E", "d", "ww", "HH a", "yyyy MM dd E", "yyyy-MM-dd hh:mm", "C", "Z", "ZZ",
    };
    static final String[] TEXTS = {
        "", "x", "2024-02-30 25:61:61,5", "2024-01-02 03:04:05,678", "2024-1-2 3:4:5", "2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-02-29T12:00:00.000+0530", "2024-02-29T12:00:00.5-0800", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00", "2024-02-29T12:00:00-01",
        "Thu Feb 29 12:00:00 EST 2024", "Thu Feb 29 12:00:00 GMT 2024", "Thu Feb 29 12:00:00 UTC 2024", "thu feb 29 12:00:00 pst 2024", "Mon Jul 01 12:00:00 EDT 2024", "Thu Feb 29 12:00:00 GMT+2:00 2024", "Thu Feb 29 12:00:00 GMT+02:30 2024", "29/Feb/2024:12:00:00 +0000", "29/feb/2024:12:00:00 -1130", "29/FEBRUARY/2024:12:00:00 +0100", "20240229120000", "2024022912000", "20240229", "240229", "991231", "450101", "24/2/9 9:05 PM", "24/2/9 12:05 am", "2024/2/9 0:05 AM",
        "Feb 29 12:00:00", "Feb  9 12:00:00", "Sept 9 12:00:00", "Feb 30 12:00:00", "Thursday, 29 February 2024 11:59 PM", "Fri, 29 Feb 2024 0:00 AM", "2024-060", "2023-366", "2024-400", "2024-W09-4", "2021-W53-7", "2020-W53-1", "24:30", "00:30", "23:59", "60", "366", "AD 2024", "BC 5", "2024 AD", "'24'", "11 o'clock PM", "12 O'CLOCK am", "23:59:59.999", "23:59:59.9", "123456", "12", "1.5", "2024", "2024x", "-5", "0", "February", "Feb", "PM", "1230", "930", "Thu Feb 29 2024", "Fri Feb 29 2024",
        "2024-02-29 12:00 Europe/Paris", "2024-02-29 12:00 UTC", "2024-02-29 12:00 EST", "2024-07-29 12:00 EST", "2024-02-29 12:00 Nowhere", "24 9", "24-05", "4", "Thu", "wed", "9", "53", "13 PM", "2024 02 29 Mon", "2024-02-29 11:30", "2024-02-29 13:30", "20", "+0100", "+01:30", "-8", "Z", "z", "+01", "1 ", " 1", "29.02.24", "Thu, 29 Feb 2024 12:00:00 GMT", "Thu, 29 Feb 2024 12:00:00 CET", "+2024-01-01 00:00:00", "-2024", "99999999999",
    };

    static long instant() {
        return -900000000000L + (long) (RND.nextDouble() * 3500000000000L);
    }

    static void simple(String p, TimeZone zone) {
        SimpleDateFormat f = new SimpleDateFormat(p, Locale.US);
        f.setTimeZone(zone);
        for (int i = 0; i < 3; i++) {
            long ms = instant();
            OUT.println("S\tf\t" + p + "\t" + zone.getID() + "\t" + ms + "\t" + f.format(new Date(ms)));
        }
    }

    static void parseSimple(String p, String id, String text) {
        SimpleDateFormat f = new SimpleDateFormat(p, Locale.US); // parsing a zone changes the zone of the format
        f.setTimeZone(TimeZone.getTimeZone(id));
        String out;
        try {
            long ms = f.parse(text).getTime();
            if (ms < -12219292800000L || ms > 253402300800000L) return; // the Julian calendar, years beyond 9999
            if (text.matches(".*\\d{10}.*") && !p.startsWith("yyyyMM")) return; // numbers beyond int, which wrap around
            out = "" + ms;
        } catch (Exception e) {
            out = "!";
        }
        OUT.println("S\tp\t" + p + "\t" + id + "\t" + text + "\t" + out);
    }

    static void parseJoda(String p, String id, String text) {
        String out;
        try {
            out = "" + DateTimeFormat.forPattern(p).withLocale(Locale.US).withZone(null).parseMillis(text);
        } catch (Exception e) {
            out = "!";
        }
        OUT.println("J\tp\t" + p + "\t" + id + "\t" + text + "\t" + out);
    }

    public static void main(String[] args) {
        OUT.println("now\t" + System.currentTimeMillis());
        for (String p : FORMAT_ONLY) simple(p, TimeZone.getTimeZone("Europe/Berlin"));
        for (String p : SIMPLE) {
            String id = ZONES[RND.nextInt(ZONES.length)];
            simple(p, TimeZone.getTimeZone(id));
            SimpleDateFormat f = new SimpleDateFormat(p, Locale.US);
            f.setTimeZone(TimeZone.getTimeZone(id));
            for (int i = 0; i < 4; i++) parseSimple(p, id, f.format(new Date(instant())));
            for (String t : TEXTS) if (RND.nextInt(100) < 60) parseSimple(p, id, t);
        }
        for (String p : JODA) {
            String id = ZONES[RND.nextInt(ZONES.length)];
            DateTimeZone.setDefault(DateTimeZone.forID(id));
            DateTimeFormatter f = DateTimeFormat.forPattern(p).withLocale(Locale.US);
            for (int i = 0; i < 4; i++) {
                long ms = instant();
                OUT.println("J\tf\t" + p + "\t" + id + "\t" + ms + "\t" + f.print(ms));
                parseJoda(p, id, f.print(ms));
            }
            for (String t : TEXTS) if (RND.nextInt(100) < 60) parseJoda(p, id, t);
        }
        for (String id : new String[] {"GMT", "UTC", "EST", "PST", "CST", "MST", "HST", "IST", "JST", "ECT", "AST", "GMT+5", "GMT-08:00", "GMT+0530", "GMT+24", "GMT+1:5", "GMT+530", "GMT+5:30", "UTC+5", "Nowhere", "", "Europe/Berlin", "Local", "gmt", "GMT0", "Etc/GMT+5", "BST", "+05:00", "GMT+", "GMT-0", "EST5EDT", "Z"})
            OUT.println("Z\t" + id + "\t" + TimeZone.getTimeZone(id).getOffset(1720000000000L) / 1000);
        OUT.flush();
    }
}
