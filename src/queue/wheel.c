/* wheel.c: three rings of lists. */
#include "queue/wheel.h"

void wheel_init(struct wheel *wheel, int64_t now_ms)
{
    wheel->start_ms = now_ms;
    wheel->now_s = 0;
    wheel->count = 0;
    for (unsigned ring = 0; ring < WHEEL_RINGS; ring++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&wheel->rings[ring][slot]);
}

static void place(struct wheel *wheel, struct wheel_entry *entry)
{
    uint32_t away = entry->due_s - wheel->now_s;
    unsigned ring = away < 256 ? 0 : away < 65536 ? 1 : 2;
    uint32_t slot = (entry->due_s >> (8 * ring)) & 255u;
    list_append(&wheel->rings[ring][slot], &entry->node);
}

void wheel_add(struct wheel *wheel, struct wheel_entry *entry, int64_t due_ms)
{
    const uint32_t furthest = wheel->now_s + 254u * 65536u;
    int64_t seconds = (due_ms - wheel->start_ms + 999) / 1000;
    if (seconds <= (int64_t)wheel->now_s)
        seconds = (int64_t)wheel->now_s + 1;
    if (seconds > (int64_t)furthest)
        seconds = furthest;
    entry->due_s = (uint32_t)seconds;
    place(wheel, entry);
    wheel->count++;
}

void wheel_remove(struct wheel *wheel, struct wheel_entry *entry)
{
    if (!list_is_linked(&entry->node))
        return;
    list_remove(&entry->node);
    wheel->count--;
}

static void cascade(struct wheel *wheel, unsigned ring)
{
    uint32_t slot = (wheel->now_s >> (8 * ring)) & 255u;
    struct list moving;
    struct list_node *node;
    list_init(&moving);
    while ((node = list_take(&wheel->rings[ring][slot])) != NULL)
        list_append(&moving, node);
    while ((node = list_take(&moving)) != NULL)
        place(wheel, container_of(node, struct wheel_entry, node));
}

static void step(struct wheel *wheel, struct list *due)
{
    struct list_node *node;
    wheel->now_s++;
    if ((wheel->now_s & 0xffffu) == 0)
        cascade(wheel, 2);
    if ((wheel->now_s & 0xffu) == 0)
        cascade(wheel, 1);
    struct list *slot = &wheel->rings[0][wheel->now_s & 255u];
    while ((node = list_take(slot)) != NULL) {
        wheel->count--;
        list_append(due, node);
    }
}

void wheel_turn(struct wheel *wheel, int64_t now_ms, struct list *due)
{
    int64_t to_s = (now_ms - wheel->start_ms) / 1000;
    while ((int64_t)wheel->now_s < to_s) {
        if (wheel->count == 0) {
            wheel->now_s = (uint32_t)to_s;
            return;
        }
        step(wheel, due);
    }
}

int64_t wheel_next_ms(const struct wheel *wheel)
{
    if (wheel->count == 0)
        return -1;
    uint32_t at = wheel->now_s + 1;
    while ((at & 255u) != 0 && list_is_empty(&wheel->rings[0][at & 255u]))
        at++;
    return wheel->start_ms + (int64_t)at * 1000;
}
