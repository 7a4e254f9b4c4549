"""Small builders that tests share. Nothing here knows pytest or Kafka."""
