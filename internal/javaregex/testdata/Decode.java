import java.nio.charset.StandardCharsets;
import java.util.Random;

/** Writes decode.txt: random bytes and the code points of their UTF-8 decoding. Run: java Decode.java > decode.txt */
public class Decode {
    public static void main(String[] args) {
        Random rnd = new Random(7);
        int[] interesting = {0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};
        for (int i = 0; i < 1500; i++) {
            byte[] b = new byte[1 + rnd.nextInt(7)];
            StringBuilder line = new StringBuilder();
            for (int j = 0; j < b.length; j++) {
                b[j] = (byte) interesting[rnd.nextInt(interesting.length)];
                line.append(String.format("%02x", b[j]));
            }
            line.append(' ');
            new String(b, StandardCharsets.UTF_8).codePoints().forEach(c -> line.append(Integer.toHexString(c)).append(','));
            System.out.println(line);
        }
    }
}
