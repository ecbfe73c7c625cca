// An ordered map as a value: a copy is one reference count, a change shares all but O(log n) nodes with the copy.
// It is for state that is read on other threads, kept at old versions, and compared: not for speed alone.
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace lockstep {

/// A weight-balanced tree (Adams; parameters of Hirai and Yamamoto, "Balancing weight-balanced trees", 2011).
/// Keys and values are copied along the changed path, so they should be cheap to copy.
/// Complexity: find, lower_bound, assign and erase are O(log n); a copy is O(1).
/// Thread safety: distinct maps may be used from distinct threads, even when they share nodes.
/// Lifetimes: pointers and iterators are good until this map is changed or destroyed.
template <class Key, class Value, class Less = std::less<>>
class persistent_map {
    struct node;
    using link = std::shared_ptr<const node>;

public:
    using value_type = std::pair<const Key, Value>;

    class iterator {
    public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = persistent_map::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = const value_type*;
        using reference = const value_type&;

        iterator() = default;
        reference operator*() const noexcept { return path_.back()->item; }
        pointer operator->() const noexcept { return &path_.back()->item; }
        iterator& operator++() {
            const node* at = path_.back()->right.get();
            path_.pop_back();
            descend(at);
            return *this;
        }
        iterator operator++(int) {
            iterator old = *this;
            ++*this;
            return old;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at() == b.at(); }

    private:
        friend class persistent_map;
        const node* at() const noexcept { return path_.empty() ? nullptr : path_.back(); }
        void descend(const node* from) {
            for (; from; from = from->left.get()) path_.push_back(from);
        }
        std::vector<const node*> path_;  ///< the current node, under it those whose left side it is in
    };
    using const_iterator = iterator;

    persistent_map() = default;
    /// The items item_at(0) … item_at(count - 1), whose keys must grow. Complexity: O(count), each node made once.
    template <class ItemAt>
    static persistent_map from_sorted(std::size_t count, ItemAt item_at) {
        persistent_map all;
        all.root_ = built(0, count, item_at);
        return all;
    }

    std::size_t size() const noexcept { return size_of(root_); }
    bool empty() const noexcept { return !root_; }

    iterator begin() const {
        iterator it;
        it.descend(root_.get());
        return it;
    }
    iterator end() const { return {}; }

    /// The value of a key, or nothing.
    template <class Q = Key>
    const Value* find(const Q& key) const {
        for (const node* at = root_.get(); at;) {
            if (Less{}(key, at->item.first)) at = at->left.get();
            else if (Less{}(at->item.first, key)) at = at->right.get();
            else return &at->item.second;
        }
        return nullptr;
    }

    /// The first item whose key is not below `key`.
    template <class Q = Key>
    iterator lower_bound(const Q& key) const {
        iterator it;
        for (const node* at = root_.get(); at;) {
            if (Less{}(at->item.first, key)) {
                at = at->right.get();
            } else {
                it.path_.push_back(at);
                at = at->left.get();
            }
        }
        return it;
    }

    /// Sets the value of a key, new or not.
    void assign(const Key& key, Value value) { root_ = assigned(root_, key, std::move(value)); }

    /// Removes a key; false where it was not there.
    template <class Q = Key>
    bool erase(const Q& key) {
        if (!find(key)) return false;
        root_ = erased(root_, key);
        return true;
    }

    void clear() noexcept { root_.reset(); }

    /// Both are one and the same version: true only of maps that are equal, and O(1).
    friend bool same_version(const persistent_map& a, const persistent_map& b) noexcept { return a.root_ == b.root_; }

    friend bool operator==(const persistent_map& a, const persistent_map& b) {
        bool same = a.size() == b.size();
        if (same) diff(a, b, [&](const Key&, const Value*, const Value*) { same = false; });
        return same;
    }

    /// Calls f(key, in a or nullptr, in b or nullptr), in order of keys, where the two differ.
    /// Complexity: what both share is skipped: O(d log n) for d differences between versions of one map.
    template <class F>
    friend void diff(const persistent_map& a, const persistent_map& b, F f) {
        walk left{a.root_}, right{b.root_};
        while (!left.done() && !right.done()) {
            const piece& x = left.top();
            const piece& y = right.top();
            if (x.whole && y.whole && x.at == y.at) {
                left.pop();
                right.pop();
            } else if (x.whole || y.whole) {
                // The larger one is opened first, so that a shared subtree comes to the top of both.
                const std::size_t in_x = x.whole ? x.at->size : 0;
                const std::size_t in_y = y.whole ? y.at->size : 0;
                if (in_x >= in_y) left.open();
                if (in_y >= in_x) right.open();
            } else {
                const value_type& p = x.at->item;
                const value_type& q = y.at->item;
                const bool below = Less{}(p.first, q.first);
                const bool above = Less{}(q.first, p.first);
                if (below) f(p.first, &p.second, static_cast<const Value*>(nullptr));
                else if (above) f(q.first, static_cast<const Value*>(nullptr), &q.second);
                else if (!(p.second == q.second)) f(p.first, &p.second, &q.second);
                if (!above) left.pop();
                if (!below) right.pop();
            }
        }
        left.drain([&](const value_type& p) { f(p.first, &p.second, static_cast<const Value*>(nullptr)); });
        right.drain([&](const value_type& q) { f(q.first, static_cast<const Value*>(nullptr), &q.second); });
    }

private:
    struct node {
        node(link l, const value_type& i, link r)
            : left(std::move(l)), right(std::move(r)), item(i), size(size_of(left) + size_of(right) + 1) {}
        link left, right;
        value_type item;
        std::size_t size;
    };

    /// What is still to be visited, in order: whole subtrees, and single nodes whose left side is done.
    struct piece {
        const node* at;
        bool whole;
    };
    class walk {
    public:
        explicit walk(const link& root) {
            if (root) pieces_.push_back({root.get(), true});
        }
        bool done() const noexcept { return pieces_.empty(); }
        const piece& top() const noexcept { return pieces_.back(); }
        void pop() { pieces_.pop_back(); }
        void open() {
            const node* at = pieces_.back().at;
            pieces_.pop_back();
            if (at->right) pieces_.push_back({at->right.get(), true});
            pieces_.push_back({at, false});
            if (at->left) pieces_.push_back({at->left.get(), true});
        }
        template <class G>
        void drain(G g) {
            while (!done()) {
                if (top().whole) {
                    open();
                } else {
                    g(top().at->item);
                    pop();
                }
            }
        }

    private:
        std::vector<piece> pieces_;
    };

    static std::size_t size_of(const link& at) noexcept { return at ? at->size : 0; }
    static std::size_t weight(const link& at) noexcept { return size_of(at) + 1; }
    static link make(link left, const value_type& item, link right) {
        return std::make_shared<const node>(std::move(left), item, std::move(right));
    }

    template <class ItemAt>
    static link built(std::size_t first, std::size_t last, ItemAt& item_at) {
        if (first == last) return nullptr;
        const std::size_t middle = first + (last - first) / 2;
        link left = built(first, middle, item_at);
        const value_type item = item_at(middle);
        return make(std::move(left), item, built(middle + 1, last, item_at));
    }

    /// Precondition: one side is out of balance by at most one insertion or removal.
    static link balanced(link left, const value_type& item, link right) {
        constexpr std::size_t delta = 3, gamma = 2;
        if (weight(right) > delta * weight(left)) {
            if (weight(right->left) < gamma * weight(right->right))
                return make(make(std::move(left), item, right->left), right->item, right->right);
            const link middle = right->left;
            return make(make(std::move(left), item, middle->left), middle->item,
                        make(middle->right, right->item, right->right));
        }
        if (weight(left) > delta * weight(right)) {
            if (weight(left->right) < gamma * weight(left->left))
                return make(left->left, left->item, make(left->right, item, std::move(right)));
            const link middle = left->right;
            return make(make(left->left, left->item, middle->left), middle->item,
                        make(middle->right, item, std::move(right)));
        }
        return make(std::move(left), item, std::move(right));
    }

    static link assigned(const link& at, const Key& key, Value&& value) {
        if (!at) return make(nullptr, value_type(key, std::move(value)), nullptr);
        if (Less{}(key, at->item.first))
            return balanced(assigned(at->left, key, std::move(value)), at->item, at->right);
        if (Less{}(at->item.first, key))
            return balanced(at->left, at->item, assigned(at->right, key, std::move(value)));
        return make(at->left, value_type(key, std::move(value)), at->right);
    }

    template <class Q>
    static link erased(const link& at, const Q& key) {
        if (Less{}(key, at->item.first)) return balanced(erased(at->left, key), at->item, at->right);
        if (Less{}(at->item.first, key)) return balanced(at->left, at->item, erased(at->right, key));
        if (!at->left) return at->right;
        if (!at->right) return at->left;
        const node* next = at->right.get();
        while (next->left) next = next->left.get();
        return balanced(at->left, next->item, without_first(at->right));
    }
    static link without_first(const link& at) {
        if (!at->left) return at->right;
        return balanced(without_first(at->left), at->item, at->right);
    }

    link root_;
};

}  // namespace lockstep
