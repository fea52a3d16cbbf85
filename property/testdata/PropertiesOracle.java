import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.Set;

/**
 * Writes oracle.jsonl: what java.util.Properties reads from nasty inputs, one JSON object a line:
 * the input in base64, the entries in the order they were put, and whether reading ended in an error.
 * UTF-8 goes through a Reader, everything else through a stream, that is as ISO-8859-1.
 *
 * Run with: java PropertiesOracle.java > oracle.jsonl
 */
public final class PropertiesOracle {

  private static final String[] BY_HAND = {
      "", "a", "a=", "=", "=b", ":", " ", "\n", "\r\n", "\\", "\\\n", "\\\r", "\\\r\n", "\\\n\\", "\\\n\\\n", "\\\n ", "\\\n\n",
      "\\\n#c\na=b", "\\\n  # c \\\na=b", "\\\n\na=b", "\\\r\n\ta=b", " \\\n a=b", "a\\\n\\\n=b", "a\\", "a\\\\", "a=\\", "a=b\\",
      "a=b\\\\", "a=b\\\\\\", "a=b\\\n", "a=b\\\r\n", "a=b\\\nc", "a=b\\\n  c", "a=b\\\r\n  c", "a=b\\\rc", "a=b\\\n\rc=d",
      "a=b\\\n\nc=d", "a=b\\\n\n\nc=d", "a=b\\\n#c", "a=b\\\n!c=d", "a=b\\\n\\\n\\\nc", "a=b\\\\\nc=d", "a=b\\\\\\\nc=d",
      "a=b \\\n c \\\n d", "a\\\nb=c", "a\\\n  b=c", "a \\\n = b", "a \\\n b", "a= \\\n b", "a\\\n=\\\nb", "a:\\\n=b",
      "# comment\na=b", "! comment\na=b", "  # comment\na=b", "\t!c\r\na=b", "# c \\\na=b", "#", "#\n", "!", "#\\", "a=#b", "a=!b",
      "a#b=c", "a!b=c", "#a\rb=c", "#a\r\nb=c", "#a\nb=c",
      "a b", "a  b", "a = b", "a : b", "a\tb", "a\fb", "a\t=\tb", "a\f:\fb", "a==b", "a=:b", "a:=b", "a = = b", "a  =  : b", "a b=c",
      "a  b = c", "a=b ", "a=b\t", "a= b c ", " a=b", "\ta=b", "\fa=b", "\u00a0a=b", "a=\u00a0b", "a\u000bb=c", "a=\u0000", "\u0000=b", "a=b\u0085c=d",
      "a=b\u2028c=d", "a\\ b=c", "a\\=b=c", "a\\:b=c", "a\\#b=c", "\\#a=b", "\\!a=b", "\\ a=b", "\\=b", "a=\\ b", "a=\\=b", "a=\\:",
      "a=\\n\\t\\r\\f", "\\n=\\t", "a=\\a\\b\\c\\z\\0\\1\\x41", "a=\\'\\\"", "a=c:\\\\dir\\\\file", "a=c:\\dir\\file", "a=\\d+\\s*",
      "a=\\\\d+\\\\s*", "a=\\\u00e9", "a=\\\u20ac", "a=\\\ud83d\ude00",
      "a=\\u0041", "\\u0041=b", "a=\\u0041\\u0042", "a=\\u00e9\\u20AC", "a=\\u20aC", "a=\\uD83D\\uDE00", "\\uD83D\\uDE00=a",
      "a=\\uD83D", "a=\\uDE00", "a=\\uDE00\\uD83D", "a=\\uD83D\\uD83D\\uDE00", "a=\\uD83Dx\\uDE00", "a=\\uD83D\\\n\\uDE00", "a=\\uD83D\\",
      "a=\\u003d\\u003ab", "a\\u003db=c", "a\\u0020b=c", "a=\\u0020b\\u0020", "a=b\\u000ac=d", "a=\\u005cn", "a=\\\\u0041",
      "a=\\\\\\u0041", "a=\\u00\\\n41", "a=\\\nu0041", "a=\\u\\\n  0041", "a=\\u004\\\n1", "\\u00\\\r\n41=b",
      "a=\\u", "a=\\u0", "a=\\u00", "a=\\u004", "a=\\u004g", "a=\\u 041", "a=\\uXYZW\nb=c", "x=y\na=\\u12\nb=c", "\\u=a", "\\u00=a",
      "\\u004:1=a", "a\\u004 =b", "a=\\U0041", "a=\\uu0041", "a=\\u+041", "a=\\u00\\41", "a=\\u\u0660\u0660\u0664\u0661",
      "a=1\na=2", "a=1\nb=2\na=3", "a=1\ra=2\r\na=3", "a=\n", "a=\nb", "a\nb\n", "a=b\n\n\nc=d\n\n", "a=b\r\r\nc=d",
      "\u00e9=\u00fc", "\u20ac = \u4e2d\u6587", "a=\ud83d\ude00", "\u00e4 \u00f6", "a=\u3000b\u3000", "a\u3000b=c",
      "a1.sources = r1\na1.sources.r1.type = netcat\na1.sources.r1.interceptors.i1.regex = ^(\\\\d+)\\\\s\n",
      "a1.sinks.k1.hdfs.path = /flume/%y-%m-%d/%H%M\na1.sinks.k1.hdfs.filePrefix = a\\:b",
      "cmd = /bin/sh -c 'for i in 1 2; do echo $i; done' \\\n      && true\n", "key=value with trailing backslashes\\\\\\\\\nnext=1",
      "truth = Beauty", "truth:Beauty", "truth\t\t\t:Beauty", "fruits    apple, banana, \\\n          pear, \\\n          peach", "cheeses",
  };

  private static final String[] PIECES = {
      "a", "b", "c1", ".", "=", "=", ":", " ", " ", "\t", "\f", "\\", "\\", "\\\\", "\n", "\n", "\r", "\r\n", "\\\n", "\\\r\n",
      "\\\r", "#", "!", "\\u0041", "\\u00", "\\u", "\\uD83D", "\\uDE00", "\\n", "\\t", "\u00e9", "\u20ac", "\ud83d\ude00", "${x}", "'", "\u0000",
      "\u0001", "\u00a0", "value", "a1.sources",
  };

  public static void main(String[] args) {
    Set<String> seen = new LinkedHashSet<>();
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.US_ASCII);
    for (String text : BY_HAND) {
      write(out, seen, text.getBytes(StandardCharsets.UTF_8));
    }
    for (int b = 0x80; b <= 0xFF; b += 9) {
      write(out, seen, new byte[] {'a', '=', (byte) b, '\\', (byte) b, '\n', (byte) b, ' ', 'x'});
    }
    Random random = new Random(1);
    for (int i = 0; i < 1200; i++) {
      StringBuilder text = new StringBuilder();
      for (int n = random.nextInt(24); n >= 0; n--) {
        text.append(PIECES[random.nextInt(PIECES.length)]);
      }
      boolean latin1 = i % 6 == 0;
      write(out, seen, text.toString().getBytes(latin1 ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8));
    }
  }

  /** Records its entries in the order they are put. */
  private static final class Recorder extends Properties {
    private static final long serialVersionUID = 1L;
    private final transient List<String[]> entries = new ArrayList<>();

    @Override
    public synchronized Object put(Object key, Object value) {
      entries.add(new String[] {(String) key, (String) value});
      return super.put(key, value);
    }
  }

  private static void write(PrintStream out, Set<String> seen, byte[] input) {
    String base64 = Base64.getEncoder().encodeToString(input);
    if (!seen.add(base64)) {
      return;
    }
    Recorder properties = new Recorder();
    boolean failed = false;
    try {
      if (isUtf8(input)) {
        properties.load(new InputStreamReader(new ByteArrayInputStream(input), StandardCharsets.UTF_8));
      } else {
        properties.load(new ByteArrayInputStream(input));
      }
    } catch (IllegalArgumentException malformed) {
      failed = true;
    } catch (java.io.IOException impossible) {
      throw new IllegalStateException(impossible);
    }
    StringBuilder line = new StringBuilder("{\"in\":\"").append(base64).append("\",\"entries\":[");
    for (int i = 0; i < properties.entries.size(); i++) {
      String[] entry = properties.entries.get(i);
      line.append(i == 0 ? "[" : ",[").append(quote(entry[0])).append(',').append(quote(entry[1])).append(']');
    }
    out.print(line.append("],\"failed\":").append(failed).append("}\n"));
  }

  private static boolean isUtf8(byte[] input) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(input));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  /** A JSON string in ASCII; halves of surrogate pairs stay what they are. */
  private static String quote(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c >= ' ' && c < 0x7F && c != '"' && c != '\\') {
        json.append(c);
      } else {
        json.append(String.format("\\u%04x", (int) c));
      }
    }
    return json.append('"').toString();
  }
}
