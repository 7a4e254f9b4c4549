package peers;

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/** The job in Kafka Streams. Arguments: broker, prefix, state folder, processing guarantee, threads. */
public final class Main {
  public static void main(String[] args) {
    String prefix = args[1];
    Properties told = new Properties();
    told.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix.substring(0, prefix.length() - 1));
    told.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    told.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
    told.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[3]);
    told.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[4]);
    told.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100); // the default of exactly once
    told.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    told.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

    KafkaStreams streams = new KafkaStreams(topology(prefix), told);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
  }

  private static Topology topology(String prefix) {
    var text = Serdes.String();
    var raw = Serdes.ByteArray();
    var rows = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Clocks.ROWS), text, Row.SERDE);
    var index = Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Clocks.INDEX), Serdes.Bytes(), raw)
        .withLoggingDisabled();
    return new Topology()
        .addSource("tickets", text.deserializer(), raw.deserializer(), prefix + "tickets.v1")
        .addProcessor("job", Clocks::new, "tickets")
        .addStateStore(rows, "job")
        .addStateStore(index, "job")
        .addSink("clocks", prefix + "clocks.v1", text.serializer(), raw.serializer(), "job")
        .addSink("alerts", prefix + "alerts.v1", text.serializer(), raw.serializer(), "job");
  }
}
