package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * Rows by ticket, and an index of (deadline, ticket) that a punctuator scans.
 *
 * <p>The guard: a scan begins at the earliest deadline there can be and never at zero, where it would
 * wade through the tombstones of all that has fired, and there is none while nothing can be due.
 */
final class Clocks implements Processor<String, byte[], String, byte[]> {
  static final String ROWS = "rows", INDEX = "index";
  private static final Duration TICK = Duration.ofMillis(50);
  private static final ObjectReader JSON = new ObjectMapper().readerFor(Told.class);
  private static final byte[] NOTHING = {};
  private static boolean first = true;

  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, Row> rows;
  private KeyValueStore<Bytes, byte[]> index;
  private long earliest = Long.MAX_VALUE;

  @Override
  public void init(ProcessorContext<String, byte[]> context) {
    this.context = context;
    rows = context.getStateStore(ROWS);
    index = context.getStateStore(INDEX);
    // The index has no changelog: it follows from the rows, and entries too many do no harm.
    try (KeyValueIterator<String, Row> all = rows.all()) {
      all.forEachRemaining(each -> put(each.value.earliest(), each.key));
    }
    context.schedule(TICK, PunctuationType.WALL_CLOCK_TIME, wall -> fire(context.currentStreamTimeMs()));
  }

  @Override
  public void process(Record<String, byte[]> record) {
    if (first) {
      first = false;
      System.out.printf("first %.3f%n", System.currentTimeMillis() / 1000.0);
    }
    if (record.value() == null) {
      return;
    }
    Told event = read(record.value());
    String key = record.key();
    long now = record.timestamp();
    Row row = rows.get(key);
    long before = 0;
    if (row == null) {
      row = Row.begin(event);
    } else {
      before = row.earliest();
      row.step(event, (clock, due) -> alert(key, event.ticket(), clock, due, now));
    }
    rows.put(key, row);
    move(key, before, row.earliest());
    context.forward(new Record<>(key, row.json().getBytes(StandardCharsets.UTF_8), now), "clocks");
  }

  private void fire(long now) {
    if (now < earliest) {
      return;
    }
    long next = Long.MAX_VALUE;
    try (KeyValueIterator<Bytes, byte[]> found = index.range(entry(earliest, ""), null)) {
      while (found.hasNext()) {
        KeyValue<Bytes, byte[]> each = found.next();
        long due = ByteBuffer.wrap(each.key.get()).getLong();
        if (due > now) {
          next = due;
          break;
        }
        String key = new String(each.key.get(), 8, each.key.get().length - 8, StandardCharsets.UTF_8);
        Row row = rows.get(key);
        index.delete(each.key);
        if (row == null || row.earliest() != due) {
          continue;
        }
        String ticket = key.substring(key.lastIndexOf('/') + 1);
        row.overdue(now, (clock, at) -> alert(key, ticket, clock, at, now));
        rows.put(key, row);
        put(row.earliest(), key);
      }
    }
    earliest = next;
  }

  private void move(String key, long before, long after) {
    if (before != after) {
      if (before != 0) {
        index.delete(entry(before, key));
      }
      put(after, key);
    }
  }

  private void put(long due, String key) {
    if (due != 0) {
      index.put(entry(due, key), NOTHING);
      earliest = Math.min(earliest, due);
    }
  }

  private void alert(String key, String ticket, int clock, long due, long now) {
    String value = "{\"ticket\":\"" + ticket + "\",\"clock\":" + clock + ",\"due\":" + due + "}";
    context.forward(new Record<>(key, value.getBytes(StandardCharsets.UTF_8), now), "alerts");
  }

  private static Bytes entry(long due, String key) {
    byte[] name = key.getBytes(StandardCharsets.UTF_8);
    return Bytes.wrap(ByteBuffer.allocate(8 + name.length).putLong(due).put(name).array());
  }

  private static Told read(byte[] value) {
    try {
      return JSON.readValue(value);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
