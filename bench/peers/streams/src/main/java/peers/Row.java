package peers;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.function.BiConsumer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** A ticket and the rules of bench/peers/job.py: three deadlines that stop, pause and move. */
final class Row {
  private static final long MINUTE = 60_000, HOUR = 60 * MINUTE;
  private static final Map<String, Integer> PRIORITIES = Map.of("P1", 0, "P2", 1, "P3", 2);
  private static final long[][] TARGETS = {
    {15 * MINUTE, HOUR, 4 * HOUR}, {HOUR, 4 * HOUR, 8 * HOUR}, {4 * HOUR, 8 * HOUR, 24 * HOUR}
  };
  static final Serde<Row> SERDE = Serdes.serdeFrom((topic, row) -> row.encode(), (topic, data) -> decode(data));

  private int n;
  private int priority;
  private long paused;
  private final long[] due = new long[3];

  static Row begin(Told event) {
    Row row = new Row();
    row.n = 1;
    row.priority = PRIORITIES.get(event.priority());
    for (int clock = 0; clock < 3; clock++) {
      row.due[clock] = event.occurred_at() + TARGETS[row.priority][clock];
    }
    return row;
  }

  /** Take an event; what was due before it is told first. */
  void step(Told event, BiConsumer<Integer, Long> alert) {
    long now = event.occurred_at();
    overdue(now, alert);
    n++;
    String state = event.state();
    if ("waiting".equals(state)) {
      paused = paused == 0 ? now : paused;
    } else if (state != null) {
      if (paused != 0) {
        move(now - paused, now - paused, now - paused);
        paused = 0;
      }
      int stopped = state.equals("responded") ? 1 : state.equals("in_progress") ? 2 : 3;
      for (int clock = 0; clock < stopped; clock++) {
        due[clock] = 0;
      }
    }
    if (event.priority() != null) {
      long[] old = TARGETS[priority];
      priority = PRIORITIES.get(event.priority());
      long[] target = TARGETS[priority];
      move(target[0] - old[0], target[1] - old[1], target[2] - old[2]);
    }
  }

  /** Tell and stop the clocks that are due. */
  void overdue(long now, BiConsumer<Integer, Long> alert) {
    for (int clock = 0; clock < 3 && paused == 0; clock++) {
      if (due[clock] != 0 && due[clock] <= now) {
        alert.accept(clock, due[clock]);
        due[clock] = 0;
      }
    }
  }

  /** The earliest deadline that runs, or 0. */
  long earliest() {
    long found = 0;
    for (int clock = 0; clock < 3 && paused == 0; clock++) {
      found = due[clock] != 0 && (found == 0 || due[clock] < found) ? due[clock] : found;
    }
    return found;
  }

  String json() {
    return "{\"n\":" + n + ",\"priority\":\"P" + (priority + 1) + "\",\"due\":[" + due[0] + "," + due[1]
        + "," + due[2] + "],\"paused\":" + paused + "}";
  }

  private void move(long... by) {
    for (int clock = 0; clock < 3; clock++) {
      due[clock] += due[clock] == 0 ? 0 : by[clock];
    }
  }

  private byte[] encode() {
    return ByteBuffer.allocate(40).putInt(n).putInt(priority).putLong(paused)
        .putLong(due[0]).putLong(due[1]).putLong(due[2]).array();
  }

  private static Row decode(byte[] data) {
    if (data == null) {
      return null;
    }
    ByteBuffer from = ByteBuffer.wrap(data);
    Row row = new Row();
    row.n = from.getInt();
    row.priority = from.getInt();
    row.paused = from.getLong();
    for (int clock = 0; clock < 3; clock++) {
      row.due[clock] = from.getLong();
    }
    return row;
  }
}
