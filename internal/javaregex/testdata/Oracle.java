import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes oracle.jsonl: what java.util.regex makes of hand-picked and random patterns.
 * Run with JDK 17: java Oracle.java > oracle.jsonl
 */
public class Oracle {
    static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    static final Random RND = new Random(20260101);

    static final String[] SAMPLES = {
        "", "a", "b", "ab", "aab", "abc", "ABC", "aaa", "foo", "foo\n", "foo\r\n", "foo\u2028", "a\nb", "a\r\nb\r\n", "x\u0085y",
        "k K \u212a s \u017f", "été ÉTÉ", "i\u0130\u0131I", "a_b-c.d e", "192.168.1.1 - GET /index.html 200",
        "2024-01-02 03:04:05,678 ERROR [main] x=1 y=\"two words\"", "tab\there", "\ud835\udc9c\ud835\udc9d", "e\u0301x", "αβγ ΑΒΓ", "日本語 1２3", "{a}[b](c)^$|*+?\\", "0123456789abcdefXYZ",
        "key1=v1;key2=v2;;key3=", "aXbXXc", "\u00a0\u1680\u180e", "\n", "\r\n", "\n\n", "aa bb aa",
    };

    static final String[] PATTERNS = {
        "", "a", ".*", ".+", "^", "$", "^$", "a*", "a+?", "a??", "(a)|b", "(a|b)*c", "(a*)*", "(a*)+", "(a|b?)*", "(?:a*)*b", "(|a)*", "(|a)+", "(a?)*?b", "(a?){2,3}", "(a*){0,2}b",
        "foo$", "^foo$", "foo\\Z", "foo\\z", "(foo$)|b", "(?:foo$)?", "fo*$|b$", "$.", "(a$|o)?\\s", "o$\\s*", "\\s*$", "[\\s\\S]*$", "(.|\\n)$", "(?s).*$", "(?d)foo$", "(?d).*$", "(?d).+", "(?m)^.", "(?m).$", "(?m)^$", "(?dm)^.*$", "(?m)^", "(?m)$",
        "\\bfoo\\b", "\\b", "\\B", "\\b\\w", "\\w+\\b", "(?U)\\b\\w+", "(?U)\\d+", "(?U)\\s", "\\bx", "\\d+", "\\D+", "\\s+", "\\S+", "\\w+", "\\W+", "\\h+", "\\H+", "\\v", "\\V+", "\\R", "\\R+", "a\\Rb", "\\R\\n", "\\R{2}", "\\R?\\n", "(\\R)+\\n", "\\Gab", "\\G[a-z]", "\\Ga?",
        "(?i)abc", "(?i)k", "(?i)s", "(?iu)k", "(?iu)s", "(?iu)i", "(?i)é", "(?iu)été", "(?iu)[a-z]+", "(?i)[a-z]+", "(?i)[A-C]+", "(?i)[^a-c]+", "(?iu)[α-γ]+", "a(?i)b|c", "a(?i:b)c", "(?i)a(?-i)b", "(a(?i)b)c", "(?i)\\p{Lower}+", "(?i)\\p{Lu}+", "(?i)\\p{javaUpperCase}", "(?i)\\p{IsUppercase}", "(?s).*", "(?s:.)*.", "(?x) a b # comment\n c", "(?x)[a b]+", "(?x)a\\ b", "(?x) a + b", "(?x)( ?:a)b", "(?x)a{ 2 }",
        "[abc]", "[^abc]+", "[a-c]+", "[a-c[x-z]]+", "[a-z&&[^b]]+", "[a-z&&[def]]", "[a-z&&b-d]+", "[a-z&&[^m-p]&&[^c]]+", "[^a-z&&[^b]]+", "[a&&b]", "[abc&&[bc]d]+", "[abc&&[bc]&d]+", "[a&b]+", "[a&&&b]", "[&&a]", "[a&&]", "[]a]+", "[^]a]+", "[a-]+", "[-a]+", "[a\\-c]+", "[a-c-e]+", "[\\w-]+", "[\\w-z]+", "[a-\\d]", "[z-a]", "[a^b]+", "[a-z&&^b]+", "[^^]+", "[\\[\\]]+", "[[a]]", "[[a][b]]+", "[^[a][b]]+", "[^a[b]]+", "[a-[b]]+", "[\\p{L}&&[^\\p{Lu}]]+", "[\\Q^-]\\E]+", "[\\x41-\\x43]+", "[\\u0041-C]+", "[\\v-\\r]", "[\\b]", "[\\1]", "[a", "[a-", "[]", "[^]", "[[a]", "[\\h\\d]+", "[\\p{Punct}&&[^_]]+", "[.]+", "[$^*+?()|{}]+", "[#]", "[a-d&&[b-f]&&[c-z]]", "[\\D&&[^a]]+", "[^\\d\\s]+", "[&a]+", "[a&]+", "[a-c&&[b-d]x]+",
        "\\Qa.b\\E", "\\Q[b]", "\\Qa\\E+", "\\Qab\\E{2}", "\\E", "a\\Q\\Eb", "\\Q(c)\\E", "\\\\Q", "\\x61", "\\x{61}", "\\x{1D49C}", "\\u0061", "\\uD835\\uDC9C", "\\ud835", "\\0141", "\\07", "\\0777", "\\08", "\\cA", "\\e", "\\a", "\\t", "\\f", "\\_", "\\-", "\\i", "\\y", "\\x6", "\\x{}", "\\x{110000}", "\\u00g1", "\\", "\\c",
        "(a)(b)?\\1", "(a)(b)\\2", "(?<n>a)\\k<n>", "(?<n>a)b${n}", "\\k<n>", "(?<n>a)(?<n>b)", "(?<1a>b)", "(?<a_b>c)", "(?<>a)", "(a)\\11", "\\1", "\\1(a)", "(a)\\2", "(a\\1)", "(?:(a)|b\\1)+", "(\\w+) (\\w+) \\1", "(.)\\1", "(a)|\\1b",
        "a++", "a*+a", "a?+a", "(?:ab)++", "(ab)*+", "(?>a+)b", "(?>a|ab)c", "(?=a)", "(?=ab)a", "(?!a).", "a(?!b)", "(?<=a)b", "(?<!a)b", "(?<=a|bb)c", "(?<=a{1,2})b", "(?<=a*)b", "(?<=a+)b", "(?<=^|,)\\w+", "(?<=\\d{2,4})-", "(?=(a+))a", "x(?=y)", "(?<!^)o", "(?<=\\bf)o", "(?<=[a-z]{2})(?=[A-Z0-9])", "(?=a)*", "(?:^a)+", "^*a", "$*", "(?<![\\w.])\\d+(?![\\w.])", "(?!.*b).*",
        "a{2}", "a{2,}", "a{1,2}", "a{0}", "(a){0}b", "a{,3}", "a{", "a{b}", "{", "{2}", "a{2}{3}", "a{2,1}", "a{99999999999}", "a**", "a*{2}", "*a", "+", "?", "a|*", "(", ")", "(a", "a)", "()", "(|)", "|", "a||b", "(?", "(?:", "(?:a", "(?<", "(?z)a", "(?i", "(?i-s:a)", "(?-)a", "(?$a)", "(?i)*", "}", "]", "a}", "a]", "x{1}y{2,}?", "a{2}+", "a{2}?", "a{1001}", "(a{500}){3}", "(?:a{1,2}){2}", "a+?b", "(a+?)(b*)", "(a+)(a*)", "(a|ab)(c|bcd)?", "(?:a|ab)(?:c|bcd)", "((a)|(b))+", "(?:(a)|(b))*", "((a)?b)*", "(a(b)?)+", "(?:(a)|(b)|(c))+", "(a)*?b", "(?:a|(b))*c",
        "(\\d+)\\.(\\d+)\\.(\\d+)\\.(\\d+)", "^(\\S+) - (\\S+) (\\S+) (\\d{3})$", "(\\d{4}-\\d\\d-\\d\\d) (\\S+) (\\w+) \\[([^\\]]*)\\]", "(\\w+)=(\"[^\"]*\"|\\S*)", "\\s*[;,]\\s*", "key(\\d)=(\\w*)", "X", "X*", "(?<y>\\d{4})-(?<m>\\d\\d)", "ERROR|WARN|FATAL", ".*ERROR.*", "(?i)error|warn", "\\[(.*?)\\]", "GET|POST", "(GET|POST) (/\\S*)",
        "\\p{L}+", "\\pL+", "\\PL+", "\\P{L}+", "\\p{Lu}", "\\p{IsL}", "\\p{IsLatin}+", "\\p{IsGreek}+", "\\p{InGreek}+", "\\p{InGreek and Coptic}+", "\\p{script=Greek}", "\\p{sc=GREK}", "\\p{block=Greek}", "\\p{gc=Lu}", "\\p{general_category=Nd}+", "\\p{IsAlphabetic}+", "\\p{isalphabetic}", "\\p{IsIdeographic}+", "\\p{IsHiragana}", "\\p{IsHan}+", "\\p{InCJK_UNIFIED_IDEOGRAPHS}+", "\\p{Alpha}+", "\\p{alpha}", "\\p{Punct}+", "\\p{Digit}+", "\\p{XDigit}+", "\\p{ASCII}+", "\\p{javaLowerCase}+", "\\p{javaWhitespace}", "\\p{javaLetterOrDigit}+", "\\p{Foo}", "\\p{}", "\\p{L", "\\p", "\\p{IsFoo}", "\\p{InFoo}", "(?U)\\p{Alpha}+", "(?U)\\p{Punct}+", "(?U)\\p{Lower}+", "(?U)\\w+", "(?U)[\\w&&[^a]]+", "\\p{LC}+", "\\p{L1}+", "\\p{all}",
        "\\X", "\\b{g}", "\\N{LATIN SMALL LETTER A}", "(?i)(a)\\1", "(?<=(a))b", "(?!(a))b", "(?=(a)|b)", "((?=a))*a", "\\p{javaMirrored}",
    };

    static final String[] PROPERTIES = {
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn", "LC", "LD", "L1", "all",
        "ASCII", "Alnum", "Alpha", "Blank", "Cntrl", "Digit", "Graph", "Lower", "Print", "Punct", "Space", "Upper", "XDigit",
        "javaLowerCase", "javaUpperCase", "javaTitleCase", "javaAlphabetic", "javaIdeographic", "javaDigit", "javaDefined", "javaLetter", "javaLetterOrDigit", "javaJavaIdentifierStart", "javaJavaIdentifierPart", "javaUnicodeIdentifierStart", "javaUnicodeIdentifierPart", "javaIdentifierIgnorable", "javaSpaceChar", "javaWhitespace", "javaISOControl",
        "IsAlphabetic", "IsLetter", "IsIdeographic", "IsLowercase", "IsUppercase", "IsTitlecase", "IsWhite_Space", "IsControl", "IsPunctuation", "IsHex_Digit", "IsAssigned", "IsNoncharacter_Code_Point", "IsDigit", "IsAlnum", "IsBlank", "IsGraph", "IsPrint", "IsWord", "IsJoin_Control", "IsLatin", "IsCyrillic", "IsCommon", "IsInherited", "IsHAN", "IsArab", "InArabic", "InBasicLatin", "InBasic Latin", "InBASIC_LATIN", "InThai", "InLatin-1 Supplement", "InHalfwidth and Fullwidth Forms",
    };

    static void str(StringBuilder b, String s) {
        b.append('"');
        for (char c : s.toCharArray()) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') b.append(String.format("\\u%04x", (int) c));
            else b.append(c);
        }
        b.append('"');
    }

    static int bytes(String s, int at) {
        return at < 0 ? -1 : s.substring(0, at).getBytes(StandardCharsets.UTF_8).length;
    }

    /** Writes offsets in UTF-8 bytes. Java can match inside a surrogate pair; such cases are left out. */
    static void groups(StringBuilder b, Matcher m, String in) {
        if (m.start() > 0 && m.start() < in.length() && Character.isLowSurrogate(in.charAt(m.start())))
            throw new UnsupportedOperationException("a match inside a surrogate pair");
        b.append('[');
        for (int g = 0; g <= m.groupCount(); g++) {
            if (g > 0) b.append(',');
            b.append(bytes(in, m.start(g))).append(',').append(bytes(in, m.end(g)));
        }
        b.append(']');
    }

    static boolean emit(String p, String in, String rep) {
        StringBuilder b = new StringBuilder("{\"p\":");
        str(b, p);
        Pattern c;
        try {
            c = Pattern.compile(p);
        } catch (IllegalArgumentException e) {
            OUT.println(b.append(",\"err\":true}"));
            return false;
        }
        b.append(",\"in\":");
        str(b, in);
        try {
            Matcher m = c.matcher(in);
            if (m.find()) {
                b.append(",\"find\":");
                groups(b, m, in);
            }
            m = c.matcher(in);
            if (m.matches()) {
                b.append(",\"whole\":");
                groups(b, m, in);
            }
            b.append(",\"rep\":");
            str(b, rep);
            try {
                String out = c.matcher(in).replaceAll(rep);
                // An empty match inside a surrogate pair has no counterpart in UTF-8.
                if (new String(out.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8).equals(out)) {
                    b.append(",\"out\":");
                    str(b, out);
                }
            } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                b.append(",\"badrep\":true");
            }
        } catch (UnsupportedOperationException e) {
            return true;
        }
        OUT.println(b.append('}'));
        return true;
    }

    static String pick(String... s) {
        return s[RND.nextInt(s.length)];
    }

    static String literal() {
        return pick("a", "b", "c", "ab", "x", "1", "é", "\\.", "-", " ", "K", "\ud835\udc9c");
    }

    static String classBody(int depth) {
        StringBuilder b = new StringBuilder();
        for (int i = 1 + RND.nextInt(3); i > 0; i--) {
            switch (RND.nextInt(depth > 0 ? 7 : 5)) {
                case 0: b.append(pick("a", "b", "c", "x", "é")); break;
                case 1: b.append(pick("a-c", "b-z", "0-5", "A-Z", "à-ü")); break;
                case 2: b.append(pick("\\d", "\\w", "\\s", "\\p{L}", "\\P{Lu}", "\\p{Punct}")); break;
                case 3: b.append(pick("\\n", "\\-", "\\]", "_", "^a")); break;
                case 4: b.append(pick("ab", "1")); break;
                case 5: b.append(clazz(depth - 1)); break;
                default: b.append("&&").append(RND.nextBoolean() ? clazz(depth - 1) : classBody(0)); break;
            }
        }
        return b.toString();
    }

    static String clazz(int depth) {
        return "[" + pick("", "", "^") + classBody(depth) + "]";
    }

    static String quantifier() {
        return pick("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}") + (RND.nextInt(12) == 0 ? "+" : "");
    }

    /** The random grammar leaves out groups in look-around, where Java leaks stale groups. */
    static String gen(int depth, boolean groups) {
        StringBuilder b = new StringBuilder();
        for (int i = 1 + RND.nextInt(3); i > 0; i--) {
            String atom;
            switch (RND.nextInt(depth > 0 ? 14 : 7)) {
                case 0: case 1: case 2: atom = literal(); break;
                case 3: atom = "."; break;
                case 4: atom = clazz(2); break;
                case 5: atom = pick("\\d", "\\w", "\\s", "\\S", "\\W", "\\R", "\\h"); break;
                case 6: b.append(pick("^", "$", "\\b", "\\B", "\\A", "\\Z", "\\z")); continue;
                case 7: case 8: atom = (groups ? "(" : "(?:") + gen(depth - 1, groups) + ")"; break;
                case 9: atom = "(?:" + gen(depth - 1, groups) + "|" + gen(depth - 1, groups) + ")"; break;
                case 10: atom = (groups ? "(" : "(?:") + gen(depth - 1, groups) + "|" + gen(depth - 1, groups) + ")"; break;
                case 11: atom = "(?" + pick("i", "s", "m", "iu", "d", "x", "-i") + ":" + gen(depth - 1, groups) + ")"; break;
                case 12: b.append(pick("(?=", "(?!", "(?>")).append(gen(depth - 1, false)).append(")"); continue;
                default: b.append(pick("(?<=", "(?<!")).append(pick("a", "b|ab", "[a-c]{1,2}", "^", "\\w", "\\b.", "$", "é.")).append(")"); continue;
            }
            b.append(atom);
            if (RND.nextInt(3) == 0) b.append(quantifier());
        }
        return b.toString();
    }

    static String input() {
        StringBuilder b = new StringBuilder();
        for (int i = RND.nextInt(10); i > 0; i--)
            b.append(pick("a", "a", "b", "b", "c", "ab", "x", "1", "é", "É", ".", "-", " ", "k", "K", "A", "B", "_", "\n", "\r\n", "\r", "\u0085", "\u2028", "\ud835\udc9c", "\u212a", "\u0301", "]"));
        return b.toString();
    }

    /** Possessive loops with groups leak stale groups as well. */
    static boolean leaks(String p) {
        return p.matches("(?s).*[+*?}]\\+.*") && p.matches("(?s).*\\((?!\\?).*");
    }

    /** What each property leaves over of a sample of all characters. */
    static void properties() {
        StringBuilder all = new StringBuilder();
        for (int c = 0; c < 0x180; c++) all.appendCodePoint(c);
        for (int c = 0x180; c < 0x110000; c += c < 0x600 ? 7 : c < 0x3000 ? 67 : 1201)
            if (Character.isDefined(c) && !(c >= 0xd800 && c < 0xe000)) all.appendCodePoint(c);
        all.append("\u2028\u2029\u200c\u200d\u2007\u202f\u2160\u24b6\u3007\ufeff\u00ad\ufdd0\u3000\u205f\uff11\uff21\uff46\u1e9e\u01c5\u180e\u2118\u212e");
        StringBuilder b = new StringBuilder("{\"sample\":");
        str(b, all.toString());
        OUT.println(b.append('}'));
        for (String name : PROPERTIES) {
            for (String flags : new String[] {"", "(?i)"}) {
                String p = flags + "\\p{" + name + "}+";
                b = new StringBuilder("{\"p\":");
                str(b, p);
                b.append(",\"left\":");
                str(b, Pattern.compile(p).matcher(all).replaceAll(""));
                OUT.println(b.append('}'));
            }
        }
    }

    public static void main(String[] args) {
        for (String p : PATTERNS) {
            List<String> in = new ArrayList<>();
            for (String s : SAMPLES) {
                Matcher m;
                try {
                    m = Pattern.compile(p).matcher(s);
                } catch (IllegalArgumentException e) {
                    break;
                }
                if (m.find()) in.add(s);
            }
            java.util.Collections.shuffle(in, RND);
            if (in.size() > 6) in = in.subList(0, 6);
            in.add(pick(SAMPLES));
            for (String s : in) if (!emit(p, s, pick("<$0>", "[$1]", "\\$x\\\\", "$12", "${n}", "-"))) break;
        }
        properties();
        for (int i = 0; i < 2200; i++) {
            String p = gen(3, true);
            if (leaks(p) || p.contains("&&&")) continue;
            String in = input();
            if (p.contains("(?<")) in = in.replaceAll("[^\\x{0}-\\x{ffff}]", ""); // look-behind miscounts surrogates
            emit(p, in, pick("<$0>", "[$1]", "-"));
        }
        OUT.flush();
    }
}
